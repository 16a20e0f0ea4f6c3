"""When a message that the partner could not accept is tried again."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass

_UNITS = {"s": 1, "m": 60, "h": 3600}
_DELAY = re.compile(r"(\d{1,5})([smh])", re.ASCII)
_LONGEST = 24 * 3600
_JITTER = 0.2
_MOST_FOR_A_DELAY = 10  # attempts, where the partner asks for shorter delays


@dataclass(frozen=True)
class NextAttempt:
    """The next attempt is in `delay` seconds, and `used` of the schedule are used up by then."""

    delay: float
    used: int


@dataclass(frozen=True)
class Schedule:
    """The delays between the attempts, in seconds: as many attempts as delays, and one more.

    More attempts where the partner asks to come back sooner than that.
    """

    delays: tuple[int, ...]

    @classmethod
    def parse(cls, text: str) -> Schedule:
        """Read `5s, 5m, 2h`; each from 1 s to 24 h. Raises `ValueError`."""
        parts = [_DELAY.fullmatch(part.strip()) for part in text.split(",")]
        delays = tuple(int(part[1]) * _UNITS[part[2]] for part in parts if part)
        if len(delays) != len(parts) or not all(1 <= delay <= _LONGEST for delay in delays):
            raise ValueError("must be delays from 1s to 24h with commas between, like 5s, 5m, 2h")
        return cls(delays)

    def __str__(self) -> str:
        """Write it in the form that `parse` reads."""
        return ",".join(_written(delay) for delay in self.delays)

    def next(
        self,
        attempts: int,
        used: int | None = None,
        asked: float | None = None,
        chance: float = 0.0,
    ) -> NextAttempt | None:
        """Return when the next attempt is, after `attempts` before this one, which failed.

        `used` are the seconds of the schedule that those have used up; None, or more than it has,
        is what so many attempts use up by the schedule alone. None is returned if it is used up.

        What the partner asks for (`asked`, from 1 s; more than 24 h counts as 24 h) is waited. But
        not less than a tenth of the schedule's own delay, so that the attempts stay bounded: at
        most ten for each delay, and one. And no more is used up than was waited, nor than the
        schedule's own: however short or long the delays asked for are, the schedule lasts as long.
        Up to a fifth is added by `chance`, a random number from 0 to 1, so that what failed
        together does not come back together.
        """
        total = sum(self.delays)
        if used is None or not 0 <= used <= total:
            used = sum(self.delays[:attempts])
        own = self._delay_at(used)
        if own is None:
            return None
        delay: float = own
        if asked is not None and asked >= 1:
            delay = max(min(asked, _LONGEST), math.ceil(own / _MOST_FOR_A_DELAY))
        spent = min(math.floor(delay), own)
        return NextAttempt(delay * (1 + _JITTER * chance), used + spent)

    def _delay_at(self, used: int) -> int | None:
        """Return the delay that is under way after `used` seconds; None after the last."""
        end = 0
        for delay in self.delays:
            end += delay
            if used < end:
                return delay
        return None


def _written(delay: int) -> str:
    unit = next(unit for unit in ("h", "m", "s") if delay % _UNITS[unit] == 0)
    return f"{delay // _UNITS[unit]}{unit}"
