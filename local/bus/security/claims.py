"""The tokens put on one connection, and the rights that they give on it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from uuid import uuid4

from local.bus.amqp.errors import RESOURCE_LIMIT, AmqpError, UnauthorizedError
from local.bus.broker.address import Address, parse_address, path_of
from local.bus.security.audit_sink import AccessRequest, AuditSink
from local.bus.security.principal import AccessControl, Principal, Right
from local.bus.security.sas import covers

MAX_CLAIMS = 1000
# How long a decision is reused: a revoked grant has an effect within this many seconds.
DECISION_SECONDS = 1.0

_NAMES: dict[Right, str] = {"send": "Send", "listen": "Listen", "manage": "Manage"}


class ConnectionClaims:
    """Principals by the path of the audience that their token was put for.

    `audit` gets the decision of every attach, every refusal, and the first time that anything else
    is allowed: while a link lasts, its right is checked again and again.
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
        # The host of an audience is not compared: a local namespace has several names, and the
        # token's own audience or signature was checked already.
        try:
            principal = self._access.authenticate(token, audience)
        except UnauthorizedError as error:
            raise self._reported_failure(error, parse_address(audience).entity) from None
        self._keep(path_of(audience), principal)

    def put_plain(self, name: str, key: str) -> None:
        """Take a name and a key for the whole connection. Raises UnauthorizedError."""
        try:
            principal = self._access.authenticate_plain(name, key)
        except UnauthorizedError as error:
            raise self._reported_failure(error, "") from None
        self._keep("", principal)

    def require(self, right: Right, address: Address, *, fresh: bool = False) -> Principal:
        """Return who has the right, by a token that is valid and covers the address.

        With `fresh` no earlier decision is reused. Raises UnauthorizedError.
        """
        now = self._clock()
        key = (address.path, right)
        checked_at, principal = self._checked.get(key, (0.0, None))
        is_recent = abs(now - checked_at) < DECISION_SECONDS and not fresh
        if principal is not None and is_recent and _is_valid(principal, now):
            return principal
        holder = self._holder(right, address, now, fresh=fresh)
        if holder is None:
            raise self._refusal(right, address, now)
        return holder

    def require_any(self, address: Address) -> None:
        """Raise Unauthorized unless the address may be sent to or listened on."""
        now = self._clock()
        if not self._holder("listen", address, now, fresh=True):
            self.require("send", address, fresh=True)

    def used(self, right: Right, principal: Principal, address: Address, count: int = 1) -> None:
        """Count messages sent or received, or operations done, by a right."""
        # What the access audit tries says nothing about what the apps need.
        if not self.probe:
            self._audit.used(principal, right, address.entity, count)

    def transferred(
        self, right: Right, principal: Principal, address: Address, message_ids: Sequence[str]
    ) -> None:
        """Count messages that were sent or delivered by a right, and report their ids."""
        if not self.probe:
            self._audit.used(principal, right, address.entity, len(message_ids))
            self._audit.transferred(principal, right, address.entity, message_ids)

    def _holder(
        self, right: Right, address: Address, now: float, *, fresh: bool
    ) -> Principal | None:
        key = (address.path, right)
        for candidate in self._candidates(address, now):
            if self._access.is_allowed(candidate, right, address.entity):
                self._cache(key, candidate, now)
                self._report_allowed(candidate, right, address, fresh=fresh)
                return candidate
        self._checked.pop(key, None)
        return None

    def _candidates(self, address: Address, now: float) -> list[Principal]:
        return [
            principal
            for path, principal in self._principals.items()
            if covers(path, address.path) and _is_valid(principal, now)
        ]

    def _report_allowed(
        self, principal: Principal, right: Right, address: Address, *, fresh: bool
    ) -> None:
        key = (address.path, right, principal.id)
        if fresh or key not in self._reported:
            if len(self._reported) >= MAX_CLAIMS:
                self._reported.clear()
            self._reported.add(key)
            self._audit.decided(principal, right, AccessRequest(address.entity, None, self.probe))

    def _refusal(self, right: Right, address: Address, now: float) -> UnauthorizedError:
        request_id = uuid4()
        request = AccessRequest(address.entity, str(request_id), self.probe)
        candidates = self._candidates(address, now)
        for principal in candidates:
            self._reported.discard((address.path, right, principal.id))
            self._audit.decided(principal, right, request)
        if not candidates:
            self._audit.authentication_failed("no token that is valid now was given", request)
        return UnauthorizedError(
            f"Unauthorized access. '{_NAMES[right]}' claim(s) are required to perform this "
            f"operation. Resource: '{address.path}'."
        ).tracked(request_id)

    def _reported_failure(self, error: UnauthorizedError, entity: str) -> UnauthorizedError:
        request_id = uuid4()
        request = AccessRequest(entity, str(request_id), self.probe)
        self._audit.authentication_failed(error.description, request)
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


def _is_valid(principal: Principal, now: float) -> bool:
    return principal.expires_at is None or principal.expires_at > now
