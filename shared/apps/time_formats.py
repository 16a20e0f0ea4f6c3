"""Formats of times: each is compiled once, instead of anew for each message."""

from __future__ import annotations

from importlib import import_module
from typing import Any

_FORMATS = 64  # more than all libraries of an app have together
_strptime: Any = import_module("_strptime")  # it has no types


def keep_compiled() -> None:
    """Let `datetime.strptime` keep the formats that it has compiled.

    It keeps six, and drops all for the next. `azure-functions` tries up to sixteen for each of two
    times of a message, and those of the host fit none of the first twelve
    (`azure.functions.meta._BaseConverter._parse_datetime`), so that nearly all were compiled anew
    for each message: a tenth of the CPU that a message costs the receiver.
    """
    # Python has no public way to raise it. Where a later one has no limit, this changes nothing.
    now = getattr(_strptime, "_CACHE_MAX_SIZE", 0)
    _strptime._CACHE_MAX_SIZE = max(_FORMATS, now)  # noqa: SLF001
