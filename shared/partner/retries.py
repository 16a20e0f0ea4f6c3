"""When a message that the partner could not accept is tried again."""

from __future__ import annotations

import re
from dataclasses import dataclass

_UNITS = {"s": 1, "m": 60, "h": 3600}
_DELAY = re.compile(r"(\d{1,5})([smh])", re.ASCII)
_LONGEST = 24 * 3600
_JITTER = 0.2


@dataclass(frozen=True)
class Schedule:
    """The delays between the attempts, in seconds: as many attempts as delays, and one more."""

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

    def delay(
        self,
        attempts: int,
        retry_after: float | None = None,
        chance: float = 0.0,
    ) -> float | None:
        """Return the seconds to the next attempt after `attempts` of them, None if it was the last.

        What the partner asks for (`retry_after`) counts if it is from 1 s to 24 h. Otherwise up
        to a fifth is added to the schedule's delay by `chance`, a random number from 0 to 1, so
        that what failed together does not come back together.
        """
        if attempts > len(self.delays):
            return None
        if retry_after is not None and 1 <= retry_after <= _LONGEST:
            return retry_after
        return self.delays[attempts - 1] * (1 + _JITTER * chance)


def _written(delay: int) -> str:
    unit = next(unit for unit in ("h", "m", "s") if delay % _UNITS[unit] == 0)
    return f"{delay // _UNITS[unit]}{unit}"
