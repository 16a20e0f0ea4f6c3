"""Which text can be written everywhere: as UTF-8 (RFC 3629), and into PostgreSQL."""

from __future__ import annotations

import re

# Half a surrogate pair is not a character, and JSON can say it (RFC 8259 section 8.2): no encoder
# takes it. PostgreSQL takes no NUL (PostgreSQL manual, "Character Types").
_UNWRITABLE = re.compile(r"[\x00\ud800-\udfff]")


def is_writable(text: str) -> bool:
    """Return whether `text` has neither a NUL nor half a surrogate pair."""
    return not _UNWRITABLE.search(text)


def writable(value: object) -> str:
    """Return a value as text in which U+FFFD replaces what cannot be written."""
    return _UNWRITABLE.sub("\ufffd", str(value))


def encodable(value: object) -> str:
    """Return a value as text in which `?` replaces what UTF-8 cannot say."""
    return str(value).encode(errors="replace").decode()
