"""The names of a deployment's resources and identities, for people."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from local.authorization.grants import principals
from local.deployment.resource_id import last, normal
from local.deployment.resources import Deployment
from local.deployment.roles import BUILT_IN
from local.resource_manager.role_assignments import role_name

UNKNOWN = "(not in the deployment)"
# The last type in a resource id, and its name for people.
_KINDS = {
    "keys": "key",
    "secrets": "secret",
    "queues": "queue",
    "vaults": "vault",
    "namespaces": "namespace",
    "resourcegroups": "group",
    "subscriptions": "subscription",
    "userassignedidentities": "identity",
}


@dataclass(frozen=True, slots=True)
class ResourceLabel:
    """A kind and a name, such as key payload."""

    kind: str
    name: str

    def __str__(self) -> str:
        """Write both."""
        return f"{self.kind} {self.name}"


class _Named(Protocol):
    @property
    def resource_id(self) -> str: ...

    @property
    def name(self) -> str: ...


class Names:
    """The names of one deployment.

    What is not in the deployment gets no name: a client chose it, and it could hold anything.
    """

    def __init__(self, deployment: Deployment | None = None) -> None:
        self._identities: dict[str, str] = {}
        self._selected: dict[str, str] = {}
        self._callers: dict[str, str] = {}
        self._labels: dict[str, ResourceLabel] = {}
        self._roles: dict[str, str] = {}
        if deployment is not None:
            self._read(deployment)

    def identity(self, principal_id: str | None) -> str | None:
        """Return the name of a principal in access.json; None if there is none."""
        return self._identities.get((principal_id or "").lower())

    def selected(self, value: str) -> ResourceLabel:
        """Return the label of the identity of that client id, principal id or resource id."""
        return ResourceLabel("identity", self._selected.get(normal(value), UNKNOWN))

    def caller(self, name: str | None) -> str | None:
        """Return the name in access.json of an app or operator that is deployed under a name."""
        return None if name is None else self._callers.get(name, name)

    def label(self, resource_id: str) -> ResourceLabel:
        """Return the label of a resource."""
        known = self._labels.get(normal(resource_id))
        return known or ResourceLabel(_kind(resource_id), UNKNOWN)

    def known(self, resource_id: str) -> bool:
        """Return whether the deployment has that resource."""
        return normal(resource_id) in self._labels

    def assignment(self, assignment_id: str) -> str:
        """Return which role is assigned where."""
        return self._roles.get(normal(assignment_id), UNKNOWN)

    def _read(self, deployment: Deployment) -> None:
        for name, principal in principals(deployment).items():
            self._identities[principal.lower()] = name
        for app in deployment.apps:
            self._callers[app.name] = app.app
            if app.system_identity:
                self._identities[app.system_identity.principal_id.lower()] = f"{app.app} (system)"
        for machine in deployment.machines:
            if own := machine.system_identity:
                self._identities[own.principal_id.lower()] = f"{machine.name} (system)"
        for one in deployment.unserved_identities:
            self._identities[one.principal_id.lower()] = f"{one.name} (system)"
        self._read_labels(deployment)
        every = [*deployment.identities, *(one.identity for one in deployment.operators)]
        every += [app.system_identity for app in deployment.apps if app.system_identity]
        every += [one.system_identity for one in deployment.machines if one.system_identity]
        every += deployment.unserved_identities
        for identity in every:
            name = self._identities[identity.principal_id.lower()]
            self._labels[normal(identity.resource_id)] = ResourceLabel("identity", name)
            for value in (identity.client_id, identity.principal_id, identity.resource_id):
                self._selected[normal(value)] = name
        self._read_roles(deployment)

    def _read_labels(self, deployment: Deployment) -> None:
        every: list[_Named] = [*deployment.vaults, *deployment.namespaces]
        for vault in deployment.vaults:
            every += [*vault.keys, *vault.secrets]
        for namespace in deployment.namespaces:
            every += namespace.queues
        for one in every:
            self._labels[normal(one.resource_id)] = ResourceLabel(_kind(one.resource_id), one.name)

    def _read_roles(self, deployment: Deployment) -> None:
        roles = {role_name(role.resource_id): role.name for role in deployment.role_definitions}
        names = {guid: role.name for guid, role in BUILT_IN.items()} | roles
        for one in deployment.role_assignments:
            role = names.get(role_name(one.role_definition_id), UNKNOWN)
            self._roles[normal(one.resource_id)] = f"role {role!r} at {self._scope(one.scope)}"

    def _scope(self, scope: str) -> str:
        # A scope comes from the deployment, so its name may be shown even if nothing exists there.
        known = self._labels.get(normal(scope))
        return str(known or ResourceLabel(_kind(scope), last(scope) or "/"))


def _kind(resource_id: str) -> str:
    segments = normal(resource_id).split("/")
    return _KINDS.get(segments[-2] if len(segments) > 1 else "", "scope")
