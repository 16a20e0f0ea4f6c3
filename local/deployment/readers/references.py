"""What references in a deployment are answered with, and when."""

from __future__ import annotations

from collections.abc import Iterable

from local.deployment.readers.identities import GUID, Attached
from local.deployment.resource_id import normal
from local.deployment.resources import Identity
from local.deployment.snapshot import Location
from local.resource_manager.expressions import FunctionCall, Reference, evaluated

# Answered only when the vaults have their addresses.
VAULT_PATHS = ("vaultUri",)
KEY_PATHS = ("keyUri",)
SECRET_PATHS = ("secretUri",)


class References:
    """Answers what is known at load, and keeps what only a running vault can answer."""

    def __init__(self, tenant_id: str) -> None:
        self._tenant_id = tenant_id
        self._known: dict[tuple[str, str], str] = {}
        self._later: set[tuple[str, str]] = set()

    def add_identity(self, identity: Identity) -> None:
        """Know the run-time properties of a user-assigned identity."""
        self._know(identity.resource_id, "principalId", identity.principal_id)
        self._know(identity.resource_id, "clientId", identity.client_id)
        self._know(identity.resource_id, "tenantId", self._tenant_id)

    def add_app(self, resource_id: str, identities: Attached) -> None:
        """Know the run-time properties of an app's own identity, if it has one."""
        if own := identities.system_assigned:
            self._know(resource_id, "identity.principalId", own.principal_id)
            self._know(resource_id, "identity.tenantId", self._tenant_id)

    def add(self, resource_id: str, path: str, value: str) -> None:
        """Know one more run-time property."""
        self._know(resource_id, path, value)

    def add_later(self, resource_id: str, paths: Iterable[str]) -> None:
        """Know that these properties will be answered at run time."""
        self._later.update((normal(resource_id), path.lower()) for path in paths)

    def principal(self, value: str | Reference, place: Location) -> str:
        """Return a principal id, which must be known at load. Raises `DeploymentError`."""
        answered = self.answer(value, place)
        if isinstance(answered, Reference) or not GUID.fullmatch(answered):
            raise place.error("must be the id of a principal, a GUID")
        return answered

    def answer(self, value: str | Reference, place: Location) -> str | Reference:
        """Return a text, or the reference that is answered later. Raises `DeploymentError`."""
        if isinstance(value, str):
            return value
        # Property names, too, are compared without regard to case.
        asked = normal(value.resource_id), value.path.lower()
        if asked in self._later:
            return value
        if asked not in self._known:
            raise place.error(
                f"asks for {value.path} of {value.resource_id}, which the local cloud has not"
            )
        return self._known[asked]

    def computed(self, call: FunctionCall, place: Location) -> str:
        """Return what a function comes to, all of it known at load. Raises `DeploymentError`."""

        def known(reference: Reference) -> str:
            answered = self.answer(reference, place)
            if isinstance(answered, Reference):
                raise place.error(f"asks for {reference.path}, which is known only at run time")
            return answered

        return evaluated(call, known)

    def _know(self, resource_id: str, path: str, value: str) -> None:
        self._known[normal(resource_id), path.lower()] = value
