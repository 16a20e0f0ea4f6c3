"""A name that is looked up among those that are known, and the error about one that is not."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches

_SHOWN = 80  # characters of a wrong name in an error


def unknown_name(name: str, known: Iterable[str], kind: str) -> str:
    """Return the error about a name, `kind` being what it should name: `app`, `queue`, ..."""
    listed = list(known)
    shown = ascii(name) if not name.isprintable() else repr(name)
    if meant := did_you_mean(name, listed):
        return f"there is no {kind} {shown[:_SHOWN]} here{meant} Known: {', '.join(listed)}"
    return f"there is no {kind} {shown[:_SHOWN]} here; known: {', '.join(listed) or 'none'}"


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """Return the end of an error: the known name that is like this one, if there is one.

    Capital letters make no difference.
    """
    by_lower_case = {one.lower(): one for one in sorted(known)}
    close = get_close_matches(name.lower(), by_lower_case, n=1)
    return f"; did you mean {by_lower_case[close[0]]}?" if close else ""
