"""Shared access signatures: rules with a name, a key and rights, and tokens signed with the key.

Source: Microsoft Learn, "Service Bus access control with Shared Access Signatures".
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from urllib.parse import unquote_plus

from local.bus.amqp.errors import UnauthorizedError
from local.bus.broker.address import path_of
from local.bus.security.principal import Principal, Right

SAS_PREFIX = "SharedAccessSignature "


@dataclass(frozen=True)
class SasRule:
    """A key and its rights: on one queue, or on all where `queue` is None."""

    key: str = field(repr=False)
    rights: frozenset[Right]
    queue: str | None = None


class SasAccess:
    """Checks tokens, and names with keys, against rules by name."""

    def __init__(self, rules: Mapping[str, SasRule], clock: Callable[[], float]) -> None:
        self._rules = rules
        self._clock = clock

    def authenticate(self, token: str, audience: str) -> Principal:
        """Check resource, expiry and signature of a token; return its rule as the principal."""
        if not token.startswith(SAS_PREFIX):
            raise UnauthorizedError("InvalidTokenError: not a shared access signature.")
        fields = _fields(token.removeprefix(SAS_PREFIX))
        resource, expiry = fields.get("sr", ""), fields.get("se", "")
        name = unquote_plus(fields.get("skn", ""))
        self._check_signature(name, f"{resource}\n{expiry}", unquote_plus(fields.get("sig", "")))
        if not expiry.isdecimal() or int(expiry) <= self._clock():
            raise UnauthorizedError("ExpiredToken: the token is expired.")
        if not covers(path_of(unquote_plus(resource)), path_of(audience)):
            raise UnauthorizedError("InvalidAudience: the token is for another resource.")
        return Principal("sas", name, float(expiry))

    def authenticate_plain(self, name: str, key: str) -> Principal:
        """Check a rule's key itself."""
        rule = self._rules.get(name)
        known = rule.key if rule else ""
        # Compared in constant time, so that the time taken says nothing about the key.
        if not hmac.compare_digest(known.encode(), key.encode()) or rule is None:
            raise UnauthorizedError("InvalidSignature: unknown name or wrong key.")
        return Principal("sas", name, None)

    def is_allowed(self, principal: Principal, right: Right, queue: str) -> bool:
        """Ask the rule: it may have been changed or removed since the token was put."""
        rule = self._rules.get(principal.id) if principal.kind == "sas" else None
        if rule is None or right not in rule.rights:
            return False
        return rule.queue is None or rule.queue.lower() == queue.lower()

    def _check_signature(self, name: str, text: str, signature: str) -> None:
        rule = self._rules.get(name)
        if rule is None:
            raise UnauthorizedError("InvalidSignature: the token has an invalid signature.")
        # The key signs as the text it is: Service Bus does not decode its base64 first.
        digest = hmac.new(rule.key.encode(), text.encode(), hashlib.sha256).digest()
        expected = base64.b64encode(digest)
        # Compared in constant time, so that the time taken says nothing about the signature.
        if not hmac.compare_digest(expected, signature.encode()):
            raise UnauthorizedError("InvalidSignature: the token has an invalid signature.")


def covers(granted: str, requested: str) -> bool:
    """Return whether a resource's path is the requested one or a parent of it."""
    return not granted or requested == granted or requested.startswith(granted + "/")


def _fields(text: str) -> dict[str, str]:
    pairs = (pair.partition("=") for pair in text.split("&"))
    return {name: value for name, _, value in pairs}
