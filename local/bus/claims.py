"""The tokens put on one connection, and what they allow on it."""

from __future__ import annotations

from collections.abc import Callable

from local.bus.address import Address, path_of
from local.bus.errors import RESOURCE_LIMIT, BusError, Unauthorized
from local.bus.principal import Access, Principal, Right
from local.bus.sas import covers

MAX_CLAIMS = 1000
# How long a right once asked for is believed: a revoked grant bites within this many seconds.
TRUST_SECONDS = 1.0

_NAMES: dict[Right, str] = {"send": "Send", "listen": "Listen"}


class Claims:
    """Principals by the path of the audience that their token was put for."""

    def __init__(self, access: Access, clock: Callable[[], float]) -> None:
        self._access = access
        self._clock = clock
        self._principals: dict[str, Principal] = {}
        self._checked: dict[tuple[str, Right], tuple[float, Principal]] = {}

    def put(self, audience: str, token: str) -> None:
        """Take a token for an audience; it replaces an earlier one. Raises Unauthorized."""
        # The host of an audience is not compared: one local namespace is reached under several,
        # and the token's own audience or signature was checked already.
        principal = self._access.authenticate(token, audience)
        self._keep(path_of(audience), principal)

    def put_plain(self, name: str, key: str) -> None:
        """Take a name and a key for the whole connection. Raises Unauthorized."""
        self._keep("", self._access.authenticate_plain(name, key))

    def require(self, right: Right, address: Address) -> None:
        """Raise Unauthorized unless a living token that covers the address gives the right."""
        now = self._clock()
        key = (address.path, right)
        checked_at, principal = self._checked.get(key, (0.0, None))
        fresh = abs(now - checked_at) < TRUST_SECONDS
        if principal is not None and fresh and _alive(principal, now):
            return
        for path, candidate in self._principals.items():
            if not (covers(path, address.path) and _alive(candidate, now)):
                continue
            if self._access.may(candidate, right, address.entity):
                self._believe(key, candidate, now)
                return
        self._checked.pop(key, None)
        raise Unauthorized(
            f"Unauthorized access. '{_NAMES[right]}' claim(s) are required to perform this "
            f"operation. Resource: '{address.path}'."
        )

    def require_any(self, address: Address) -> None:
        """Raise Unauthorized unless the address may be sent to or listened on."""
        try:
            self.require("listen", address)
        except Unauthorized:
            self.require("send", address)

    def _believe(self, key: tuple[str, Right], principal: Principal, now: float) -> None:
        if len(self._checked) >= MAX_CLAIMS:
            self._checked.clear()
        self._checked[key] = (now, principal)

    def _keep(self, path: str, principal: Principal) -> None:
        if len(self._principals) >= MAX_CLAIMS and path not in self._principals:
            raise BusError(RESOURCE_LIMIT, "Too many tokens on one connection.")
        self._principals[path] = principal
        self._checked.clear()


def _alive(principal: Principal, now: float) -> bool:
    return principal.expires_at is None or principal.expires_at > now
