"""What the page draws of a deployment: apps, identities with their grants, vaults and queues."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass

from local.authorization.audit_log import AuditLog
from local.authorization.authorization import Authorization
from local.authorization.grants import principals
from local.authorization.names import Names
from local.deployment.resources import Deployment
from local.page.operations import DATA_ACTIONS, ObjectKind


@dataclass(frozen=True)
class ShownGrant:
    """What an identity may do on an object, and `by` which assignment."""

    operation: str
    kind: ObjectKind
    object: str
    by: str


@dataclass(frozen=True)
class ShownIdentity:
    """An identity by its name in access.json; one without an app is an operator's."""

    name: str
    apps: tuple[str, ...]
    grants: tuple[ShownGrant, ...]


@dataclass(frozen=True)
class ShownApp:
    """An app and the names of those of its identities that are granted anything here."""

    name: str
    identities: tuple[str, ...]


@dataclass(frozen=True)
class ShownVault:
    """A vault and the names of what is in it."""

    name: str
    keys: tuple[str, ...]
    secrets: tuple[str, ...]


@dataclass(frozen=True)
class Picture:
    """All that does not change while a deployment is in effect."""

    apps: tuple[ShownApp, ...]
    identities: tuple[ShownIdentity, ...]
    vaults: tuple[ShownVault, ...]
    queues: tuple[str, ...]

    @classmethod
    def of(cls, deployment: Deployment) -> Picture:
        """Read a deployment. Identities that may do nothing on any object are left out."""
        identities = tuple(one for one in _identities(deployment) if one.grants)
        return cls(
            apps=tuple(
                ShownApp(app.app, tuple(one.name for one in identities if app.app in one.apps))
                for app in deployment.apps
            ),
            identities=identities,
            vaults=tuple(
                ShownVault(
                    vault.name,
                    tuple(key.name for key in vault.keys),
                    tuple(secret.name for secret in vault.secrets),
                )
                for vault in deployment.vaults
            ),
            queues=tuple(
                queue.name for namespace in deployment.namespaces for queue in namespace.queues
            ),
        )

    def identity(self, name: str) -> ShownIdentity | None:
        """Return an identity that is shown, by its name."""
        return next((one for one in self.identities if one.name == name), None)

    def as_json(self) -> dict[str, object]:
        """Return it for the page."""
        return asdict(self)


def _identities(deployment: Deployment) -> Iterator[ShownIdentity]:
    objects = list(_objects(deployment))
    # Grants as deployed: one that is suspended at the moment is drawn too.
    authorization, reasons = Authorization(deployment), AuditLog(Names(deployment))
    attached = {
        app.app: {one.principal_id for one in app.identities}
        | ({app.system_identity.principal_id} if app.system_identity else set())
        for app in deployment.apps
    }
    for name, principal in principals(deployment).items():
        grants = []
        for kind, object_name, resource_id in objects:
            for (of_kind, operation), action in DATA_ACTIONS.items():
                if of_kind != kind:
                    continue
                decision = authorization.decide(principal, action, resource_id)
                if decision.allowed:
                    by = reasons.reason(decision)
                    grants.append(ShownGrant(operation, kind, object_name, by))
        apps = tuple(app for app, members in attached.items() if principal in members)
        yield ShownIdentity(name, apps, tuple(grants))


def _objects(deployment: Deployment) -> Iterator[tuple[ObjectKind, str, str]]:
    for vault in deployment.vaults:
        for key in vault.keys:
            yield "key", key.name, key.resource_id
        for secret in vault.secrets:
            yield "secret", secret.name, secret.resource_id
    for namespace in deployment.namespaces:
        for queue in namespace.queues:
            yield "queue", queue.name, queue.resource_id
