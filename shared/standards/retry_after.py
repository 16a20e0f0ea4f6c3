"""How long a server asks its clients to wait (RFC 9110 section 10.2.3)."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from datetime import UTC
from email.utils import parsedate_to_datetime

_LONGEST = 64  # of a header that is read; a date has 29 to 33 characters


def retry_after(headers: Mapping[str, str], clock: Callable[[], float] = time.time) -> float | None:
    """Return the seconds that `Retry-After` asks for, as a number or a date; None without one.

    A date is of one of the three forms of RFC 9110 section 5.6.7, all in UTC, or has a zone of
    RFC 5322. None as well for a date in a zone of another name: it could be hours off.
    """
    text = headers.get("Retry-After", "").strip()
    if text.isascii() and text.isdecimal():
        return float(text[:9])
    if not text.isascii() or len(text) > _LONGEST:
        return None
    try:
        at = parsedate_to_datetime(text)
        if at.tzinfo is None:
            # `datetime` would take it to be in the local zone. The form of asctime has no zone and
            # is in UTC, as is `-0000`.
            if not text[-1].isdecimal():
                return None
            at = at.replace(tzinfo=UTC)
        return max(0.0, at.timestamp() - clock())
    except (TypeError, ValueError, OverflowError, IndexError):
        return None
