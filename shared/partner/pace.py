"""How many posts one instance makes at once, and how many a second."""

from __future__ import annotations

import math
import time
from collections.abc import Callable


class Pace:
    """At most `concurrency` posts at once and `rate` a second (0: any number), evenly spaced."""

    def __init__(
        self, concurrency: int, rate: float, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._concurrency = concurrency
        self._spacing = 1 / rate if rate else 0.0
        self._clock = clock
        self._posts = 0
        self._next_at = -math.inf

    @property
    def free_at(self) -> float:
        """When the next post may begin, by the clock; infinite until another one ends."""
        return math.inf if self._posts >= self._concurrency else self._next_at

    def begin(self) -> None:
        """Count a post that begins now."""
        self._posts += 1
        self._next_at = self._clock() + self._spacing

    def end(self) -> None:
        """Count a post that has ended."""
        self._posts -= 1
