"""The trace that a message belongs to (W3C Trace Context)."""

from __future__ import annotations

import re

HEADER = "traceparent"
_FORM = re.compile(
    r"(?!ff)[0-9a-f]{2}-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}", re.ASCII
)


def traceparent(value: object) -> str | None:
    """Return `value` if it is a valid `traceparent`; an invalid one is left out (section 3.2.2)."""
    return value if isinstance(value, str) and _FORM.fullmatch(value) else None
