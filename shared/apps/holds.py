"""How long what only an operator or a newer version can help waits, and when it is given up."""

from __future__ import annotations

# With the default of 30 s: ten pauses of 30 s, then growing ones to 10 min; a week in all.
_EQUAL_HOLDS = 10
_LONGEST_GROWTH = 20.0
_DOUBLINGS = 5  # up to that growth
MAX_HOLDS = 1000


def growing_delay(holds: int, seconds: float) -> float:
    """Return the seconds of the next pause after `holds` of them, where `seconds` is the first."""
    doublings = min(max(0, holds - _EQUAL_HOLDS), _DOUBLINGS)
    return seconds * min(2.0**doublings, _LONGEST_GROWTH)


def hold_delay(holds: int, seconds: float) -> float | None:
    """Return the seconds of the next pause as `growing_delay` does; None if the last is over.

    Whoever may send can cause these waits, so they end.
    """
    return None if holds >= MAX_HOLDS else growing_delay(holds, seconds)
