"""A bounded memory whose entries expire."""

from __future__ import annotations

import math
import time
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class ExpiringEntries(Generic[K, V]):
    """At most `entries` values, each for `seconds`; the least recently used ones go first."""

    def __init__(
        self, entries: int, seconds: float, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._entries = entries
        self._seconds = seconds
        self._clock = clock
        self._values: OrderedDict[K, V] = OrderedDict()  # by their last use
        self._expiries: OrderedDict[K, float] = OrderedDict()  # in the order of their expiry

    def __len__(self) -> int:
        return len(self._values)

    def get(self, key: K) -> V | None:
        """Return the value of `key`, None where there is none or its time is over."""
        if self._expiries.get(key, -math.inf) <= self._clock():
            return None
        self._values.move_to_end(key)
        return self._values[key]

    def put(self, key: K, value: V) -> None:
        """Keep a value from now on, and drop what has expired or is too much."""
        now = self._clock()
        self._drop(key)
        while self._expiries and next(iter(self._expiries.values())) <= now:
            self._drop(next(iter(self._expiries)))
        self._values[key], self._expiries[key] = value, now + self._seconds
        while len(self._values) > self._entries:
            self._drop(next(iter(self._values)))

    def _drop(self, key: K) -> None:
        self._values.pop(key, None)
        self._expiries.pop(key, None)
