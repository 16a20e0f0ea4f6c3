"""The values of references in a deployment, and when they are known."""

from __future__ import annotations

from collections.abc import Iterable

from local.deployment.readers.identities import GUID, Attached
from local.deployment.resource_id import normal
from local.deployment.resources import Identity
from local.deployment.snapshot import SnapshotLocation
from local.resource_manager.expressions import FunctionCall, Reference, evaluated

# Known only when the vaults have their URLs.
VAULT_PATHS = ("vaultUri",)
KEY_PATHS = ("keyUri",)
SECRET_PATHS = ("secretUri",)


class References:
    """Resolves what is known at load, and keeps what is known only once the vaults run."""

    def __init__(self, tenant_id: str) -> None:
        self._tenant_id = tenant_id
        self._known: dict[tuple[str, str], str] = {}
        self._later: set[tuple[str, str]] = set()

    def add_identity(self, identity: Identity) -> None:
        """Add the run-time properties of a user-assigned identity."""
        self._add(identity.resource_id, "principalId", identity.principal_id)
        self._add(identity.resource_id, "clientId", identity.client_id)
        self._add(identity.resource_id, "tenantId", self._tenant_id)

    def add_app(self, resource_id: str, identities: Attached) -> None:
        """Add the run-time properties of an app's own identity, if it has one."""
        if own := identities.system_assigned:
            self._add(resource_id, "identity.principalId", own.principal_id)
            self._add(resource_id, "identity.tenantId", self._tenant_id)

    def add(self, resource_id: str, path: str, value: str) -> None:
        """Add one more run-time property."""
        self._add(resource_id, path, value)

    def add_later(self, resource_id: str, paths: Iterable[str]) -> None:
        """Add properties that are known only at run time."""
        self._later.update((normal(resource_id), path.lower()) for path in paths)

    def principal(self, value: str | Reference, place: SnapshotLocation) -> str:
        """Return a principal id, which must be known at load. Raises `DeploymentError`."""
        resolved = self.resolve(value, place)
        if isinstance(resolved, Reference) or not GUID.fullmatch(resolved):
            raise place.error("must be the id of a principal, a GUID")
        return resolved

    def resolve(self, value: str | Reference, place: SnapshotLocation) -> str | Reference:
        """Return a text, or the reference if it is resolved later. Raises `DeploymentError`."""
        if isinstance(value, str):
            return value
        # Property names, too, are compared without regard to case.
        key = normal(value.resource_id), value.path.lower()
        if key in self._later:
            return value
        if key not in self._known:
            raise place.error(
                f"refers to {value.path} of {value.resource_id}, which is not known here"
            )
        return self._known[key]

    def computed(self, call: FunctionCall, place: SnapshotLocation) -> str:
        """Return what a function comes to, all of it known at load. Raises `DeploymentError`."""

        def known(reference: Reference) -> str:
            resolved = self.resolve(reference, place)
            if isinstance(resolved, Reference):
                raise place.error(f"refers to {reference.path}, which is known only at run time")
            return resolved

        return evaluated(call, known)

    def _add(self, resource_id: str, path: str, value: str) -> None:
        self._known[normal(resource_id), path.lower()] = value
