"""How long what only an operator or a newer version can help waits, and when it is given up."""

from __future__ import annotations

# With the default of 30 s: ten pauses of 30 s, then growing ones to 10 min; a week in all.
_EQUAL_HOLDS = 10
_LONGEST_GROWTH = 20.0
MAX_HOLDS = 1000


def hold_delay(holds: int, seconds: float) -> float | None:
    """Return the seconds of the next pause after `holds` of them; None if that was the last.

    `seconds` is the first pause. Whoever may send can cause these waits, so they grow and end.
    """
    if holds >= MAX_HOLDS:
        return None
    return seconds * min(2.0 ** max(0, holds - _EQUAL_HOLDS), _LONGEST_GROWTH)
