"""The trace that a call belongs to (W3C Trace Context), as `func.Context` has it."""

from __future__ import annotations

import re
import secrets
from dataclasses import dataclass

_PARENT = re.compile(
    r"(?!ff)[0-9a-f]{2}-((?!0{32})[0-9a-f]{32})-(?!0{16})[0-9a-f]{16}-([0-9a-f]{2})", re.ASCII
)


@dataclass(frozen=True)
class Trace:
    """`traceparent` and `tracestate` of a call; both are empty where there is no trace."""

    parent: str = ""
    state: str = ""

    @classmethod
    def below(cls, parent: object, state: object = "") -> Trace:
        """Return a span below the caller's, or one of a new trace where there is none.

        The host does so for a request and for a single message; a batch belongs to no trace.
        """
        caller = _PARENT.fullmatch(parent) if isinstance(parent, str) else None
        trace, flags = caller.groups() if caller else (secrets.token_hex(16), "00")
        kept = state if caller and isinstance(state, str) else ""
        return cls(f"00-{trace}-{secrets.token_hex(8)}-{flags}", kept)

    @staticmethod
    def is_parent(value: object) -> bool:
        """Return whether a value is a `traceparent` that a call can be below of."""
        return isinstance(value, str) and _PARENT.fullmatch(value) is not None
