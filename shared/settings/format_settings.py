"""The formats that a deployment names, as far as this code knows them."""

from __future__ import annotations

from typing import Any

from shared.message.formats import KNOWN_FORMATS, Formats

_ACCEPTED, _EMITTED = "RELAY_FORMATS_ACCEPTED", "RELAY_FORMAT_EMITTED"


def restrict_formats(values: dict[str, Any], problems: list[str]) -> list[str]:
    """Leave in an app's values the formats that this code knows; return what is thereby ignored.

    A newer deployment may name formats of newer code: what is ignored is wrong for any other. What
    is wrong for all is added to `problems`.
    """
    ignored: list[str] = []
    accepted, emitted = values.get("formats_accepted"), values.get("format_emitted")
    if accepted is not None and not accepted.numbers <= KNOWN_FORMATS.numbers:
        known = accepted.numbers & KNOWN_FORMATS.numbers
        if not known:
            # Not taken for all that is known: a deployment that accepts none of them has retired
            # them. Without this app the messages wait on their queue.
            problems.append(f"{_ACCEPTED} names no format that this code knows ({KNOWN_FORMATS})")
            return ignored
        ignored.append(f"{_ACCEPTED} names a format that this code does not know ({KNOWN_FORMATS})")
        values["formats_accepted"] = Formats(known)
    if emitted is not None and emitted not in KNOWN_FORMATS.numbers:
        ignored.append(f"{_EMITTED} is not a format that this code knows ({KNOWN_FORMATS})")
        values["format_emitted"] = max(values.get("formats_accepted", KNOWN_FORMATS).numbers)
    if accepted and emitted and values["format_emitted"] not in values["formats_accepted"].numbers:
        problems.append(f"{_EMITTED} must be one of {_ACCEPTED}: this app reads what it writes")
    return ignored
