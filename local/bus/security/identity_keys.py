"""Connection strings for identities: a shared key each, which gives just that identity's rights.

Azure has no such thing. Clients that know the Service Bus emulator take
`UseDevelopmentEmulator=true`, and then speak plain AMQP with a shared access signature; others need
a token and TLS.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from local.bus.security.principal import AccessControl, Principal, Right
from local.bus.security.sas import SasAccess, SasRule


@dataclass(frozen=True)
class IdentityKey:
    """The key of an identity; `principal_id` is whose rights it gives."""

    principal_id: str
    key: str = field(repr=False)


class IdentityKeyAccess:
    """Checks shared access signatures by the keys of identities, whose rights `roles` decides."""

    def __init__(
        self,
        keys: Mapping[str, IdentityKey],
        roles: AccessControl,
        clock: Callable[[], float],
    ) -> None:
        self._keys = keys
        self._roles = roles
        # The signatures are those of rules; the rights are not, so these have none.
        rules = {name: SasRule(one.key, frozenset()) for name, one in keys.items()}
        self._signatures = SasAccess(rules, clock)

    def authenticate(self, token: str, audience: str) -> Principal:
        """Check a signature; return the identity. Raises UnauthorizedError."""
        return self._identity(self._signatures.authenticate(token, audience))

    def authenticate_plain(self, name: str, key: str) -> Principal:
        """Check a key itself. Raises UnauthorizedError."""
        return self._identity(self._signatures.authenticate_plain(name, key))

    def is_allowed(self, principal: Principal, right: Right, queue: str) -> bool:
        """Ask the role assignments of the identity, at the queue."""
        return self._roles.is_allowed(principal, right, queue)

    def _identity(self, signed: Principal) -> Principal:
        return Principal("identity", self._keys[signed.id].principal_id, signed.expires_at)
