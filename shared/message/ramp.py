"""At which pace many messages are sent to the partner again."""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass(frozen=True)
class Ramp:
    """So many messages a second at `first`, `growth` more with each second, up to `limit`.

    A partner that is just back gets a few at first, and more while it bears them.
    """

    first: float = 5.0
    growth: float = 0.5
    limit: float = 50.0

    @classmethod
    def constant(cls, rate: float) -> Ramp:
        """Return a pace that does not grow, in messages a second, above 0."""
        return cls(rate, 0.0, rate)

    @classmethod
    def up_to(cls, limit: float) -> Ramp:
        """Return one that grows up to `limit` messages a second, above 0."""
        return cls(min(cls.first, limit), cls.growth, limit)

    def seconds(self, position: int) -> float:
        """Return after how many seconds the message at `position`, from 0 on, is due."""
        if not self.growth or self.first >= self.limit:
            return position / self.first
        growing = (self.limit - self.first) / self.growth
        grown = (self.first + self.limit) / 2 * growing
        if position >= grown:
            return growing + (position - grown) / self.limit
        # Where first * t + growth * t² / 2 is the position.
        root = math.sqrt(self.first**2 + 2 * self.growth * position)
        return 2 * position / (self.first + root)
