"""A clock of seconds that a test turns."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass
class ManualClock:
    """Stands at `now` until it is turned."""

    now: float = 1000.0

    def __call__(self) -> float:
        return self.now
