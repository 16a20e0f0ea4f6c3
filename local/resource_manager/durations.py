"""ISO 8601 durations, as Service Bus properties use them."""

from __future__ import annotations

import re
from datetime import timedelta

_FORM = re.compile(
    r"P(?:(?P<days>\d{1,8})D)?"
    r"(?:T(?=\d)(?:(?P<hours>\d{1,8})H)?(?:(?P<minutes>\d{1,8})M)?"
    r"(?:(?P<seconds>\d{1,8}(?:\.\d{1,7})?)S)?)?",
    re.ASCII,
)
# TimeSpan.MaxValue of .NET, Service Bus's word for "never".
_NEVER = timedelta(days=10675199)


def parse(text: str) -> timedelta | None:
    """Read days, hours, minutes and seconds; None is the longest duration, "never".

    Raises ValueError for anything else, years, months and weeks among it.
    """
    found = _FORM.fullmatch(text)
    if not found or text == "P":
        raise ValueError("not a duration like PT1M or P14D")
    duration = timedelta(**{unit: float(n) for unit, n in found.groupdict().items() if n})
    return None if duration >= _NEVER else duration
