"""The trace that a message belongs to (W3C Trace Context)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

HEADER = "traceparent"
STATE_HEADER = "tracestate"
# Azure's SDKs and the Functions host without OpenTelemetry know a message's trace by this
# application property alone; its value is a `traceparent`.
DIAGNOSTIC_ID = "Diagnostic-Id"

_PARENT = re.compile(
    r"(?!ff)[0-9a-f]{2}-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}", re.ASCII
)
# Section 3.3.1: a key, by itself or of a tenant, and a value of printable ASCII that does not end
# in a blank.
_KEY = r"(?:[a-z][a-z0-9_\-*/]{0,255}|[a-z0-9][a-z0-9_\-*/]{0,240}@[a-z][a-z0-9_\-*/]{0,13})"
_MEMBER = re.compile(rf"{_KEY}=[\x20-\x2b\x2d-\x3c\x3e-\x7e]{{0,255}}[\x21-\x2b\x2d-\x3c\x3e-\x7e]")
_MAX_MEMBERS = 32
# What has to be propagated at least (section 3.3.1.5). It is also the most here: the caller decides
# what is in it, and it takes up room in every message.
_MAX_STATE = 512


@dataclass(frozen=True)
class TraceContext:
    """A valid `traceparent`, and the `tracestate` that belongs to it, empty for none."""

    parent: str
    state: str = ""

    @classmethod
    def parse(cls, parent: object, state: object = None) -> TraceContext | None:
        """Read both as somebody else has set them; None without a valid `traceparent`.

        An invalid or too long `tracestate` is left out, and with an invalid `traceparent` all of it
        (section 3.2.2 and 3.3).
        """
        if not isinstance(parent, str) or not _PARENT.fullmatch(parent):
            return None
        return cls(parent, _state(state))

    @classmethod
    def from_headers(cls, headers: Mapping[str, str]) -> TraceContext | None:
        """Read the headers of a request."""
        return cls.parse(headers.get(HEADER), headers.get(STATE_HEADER))

    @classmethod
    def from_properties(cls, properties: Mapping[str, object]) -> TraceContext | None:
        """Read the application properties of a message, of which `traceparent` comes first."""
        found = cls.parse(properties.get(HEADER), properties.get(STATE_HEADER))
        return found or cls.parse(properties.get(DIAGNOSTIC_ID))

    @property
    def trace_id(self) -> str:
        """The id that all spans of the trace have in common."""
        return self.parent.split("-")[1]

    def to_headers(self) -> dict[str, str]:
        """Return the headers to send a request with."""
        return {HEADER: self.parent} | ({STATE_HEADER: self.state} if self.state else {})

    def to_properties(self) -> dict[Any, Any]:
        """Return the application properties to send a message with, for readers of either kind.

        All are texts; the SDK takes a dictionary of no narrower type.
        """
        properties: dict[Any, Any] = {HEADER: self.parent, DIAGNOSTIC_ID: self.parent}
        if self.state:
            properties[STATE_HEADER] = self.state
        return properties


def _state(value: object) -> str:
    if not value or not isinstance(value, str) or len(value) > _MAX_STATE:
        return ""
    # Empty members are allowed, and blanks around each.
    members = [member for part in value.split(",") if (member := part.strip(" \t"))]
    keys = {member.partition("=")[0] for member in members}
    if len(members) > _MAX_MEMBERS or len(keys) < len(members):
        return ""
    return ",".join(members) if all(map(_MEMBER.fullmatch, members)) else ""
