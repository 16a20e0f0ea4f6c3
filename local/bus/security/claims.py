"""The tokens put on one connection, and what they allow on it."""

from __future__ import annotations

from collections.abc import Callable
from uuid import uuid4

from local.bus.amqp.errors import RESOURCE_LIMIT, AmqpError, UnauthorizedError
from local.bus.broker.address import Address, parse_address, path_of
from local.bus.security.audit_sink import AccessRequest, AuditSink
from local.bus.security.principal import AccessControl, Principal, Right
from local.bus.security.sas import covers

MAX_CLAIMS = 1000
# How long a right once asked for is believed: a revoked grant bites within this many seconds.
TRUST_SECONDS = 1.0

_NAMES: dict[Right, str] = {"send": "Send", "listen": "Listen"}


class ConnectionClaims:
    """Principals by the path of the audience that their token was put for.

    `audit` is told every answer to an attach, every refusal, and the first time that anything
    else is allowed: while a link lasts, its right is looked at again and again.
    """

    def __init__(
        self, access: AccessControl, clock: Callable[[], float], audit: AuditSink | None = None
    ) -> None:
        self.probe = False
        self._access = access
        self._clock = clock
        self._audit = audit or AuditSink()
        self._principals: dict[str, Principal] = {}
        self._checked: dict[tuple[str, Right], tuple[float, Principal]] = {}
        self._reported: set[tuple[str, Right, str]] = set()

    def put(self, audience: str, token: str) -> None:
        """Take a token for an audience; it replaces an earlier one. Raises UnauthorizedError."""
        # The host of an audience is not compared: one local namespace is reached under several,
        # and the token's own audience or signature was checked already.
        try:
            principal = self._access.authenticate(token, audience)
        except UnauthorizedError as error:
            raise self._authentication_failed(error, parse_address(audience).entity) from None
        self._keep(path_of(audience), principal)

    def put_plain(self, name: str, key: str) -> None:
        """Take a name and a key for the whole connection. Raises UnauthorizedError."""
        try:
            principal = self._access.authenticate_plain(name, key)
        except UnauthorizedError as error:
            raise self._authentication_failed(error, "") from None
        self._keep("", principal)

    def require(self, right: Right, address: Address, *, anew: bool = False) -> Principal:
        """Return who has the right, by a living token that covers the address.

        With `anew` nothing found before is trusted. Raises UnauthorizedError.
        """
        now = self._clock()
        key = (address.path, right)
        checked_at, principal = self._checked.get(key, (0.0, None))
        fresh = abs(now - checked_at) < TRUST_SECONDS and not anew
        if principal is not None and fresh and _alive(principal, now):
            return principal
        holder = self._holder(right, address, now, anew=anew)
        if holder is None:
            raise self._refusal(right, address, now)
        return holder

    def require_any(self, address: Address) -> None:
        """Raise Unauthorized unless the address may be sent to or listened on."""
        now = self._clock()
        if not self._holder("listen", address, now, anew=True):
            self.require("send", address, anew=True)

    def used(self, right: Right, principal: Principal, address: Address, count: int = 1) -> None:
        """Tell that messages were sent or received by a right, or operations done."""
        # What the proof tries says nothing about what the apps need.
        if not self.probe:
            self._audit.used(principal, right, address.entity, count)

    def _holder(
        self, right: Right, address: Address, now: float, *, anew: bool
    ) -> Principal | None:
        key = (address.path, right)
        for candidate in self._candidates(address, now):
            if self._access.is_allowed(candidate, right, address.entity):
                self._cache(key, candidate, now)
                self._report_allowed(candidate, right, address, anew=anew)
                return candidate
        self._checked.pop(key, None)
        return None

    def _candidates(self, address: Address, now: float) -> list[Principal]:
        return [
            principal
            for path, principal in self._principals.items()
            if covers(path, address.path) and _alive(principal, now)
        ]

    def _report_allowed(
        self, principal: Principal, right: Right, address: Address, *, anew: bool
    ) -> None:
        told = (address.path, right, principal.id)
        if anew or told not in self._reported:
            if len(self._reported) >= MAX_CLAIMS:
                self._reported.clear()
            self._reported.add(told)
            self._audit.decided(principal, right, AccessRequest(address.entity, None, self.probe))

    def _refusal(self, right: Right, address: Address, now: float) -> UnauthorizedError:
        request_id = uuid4()
        asked = AccessRequest(address.entity, str(request_id), self.probe)
        candidates = self._candidates(address, now)
        for principal in candidates:
            self._reported.discard((address.path, right, principal.id))
            self._audit.decided(principal, right, asked)
        if not candidates:
            self._audit.authentication_failed("none that is valid now was given", asked)
        return UnauthorizedError(
            f"Unauthorized access. '{_NAMES[right]}' claim(s) are required to perform this "
            f"operation. Resource: '{address.path}'."
        ).tracked(request_id)

    def _authentication_failed(self, error: UnauthorizedError, entity: str) -> UnauthorizedError:
        request_id = uuid4()
        asked = AccessRequest(entity, str(request_id), self.probe)
        self._audit.authentication_failed(error.description, asked)
        return error.tracked(request_id)

    def _cache(self, key: tuple[str, Right], principal: Principal, now: float) -> None:
        if len(self._checked) >= MAX_CLAIMS:
            self._checked.clear()
        self._checked[key] = (now, principal)

    def _keep(self, path: str, principal: Principal) -> None:
        if len(self._principals) >= MAX_CLAIMS and path not in self._principals:
            raise AmqpError(RESOURCE_LIMIT, "Too many tokens on one connection.")
        self._principals[path] = principal
        self._checked.clear()


def _alive(principal: Principal, now: float) -> bool:
    return principal.expires_at is None or principal.expires_at > now
