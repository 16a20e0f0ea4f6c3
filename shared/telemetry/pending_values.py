"""The values of a metric until they are summed up, some hundred at once.

A message only appends them: to find the sum that each belongs to, with all locks and hashes, takes
several times as long there, between everything else, as for many in a row.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Lock

from shared.telemetry.recording import Attributes

_MOST = 500  # that wait: what they take is some 200 KB


class PendingValues:
    """Values with their attributes, which are not changed any more; any thread may add some.

    `sum_up` gets one after the other, and one at a time.
    """

    def __init__(self, sum_up: Callable[[float, Attributes], None]) -> None:
        self._sum_up = sum_up
        self._pending: deque[tuple[float, Attributes]] = deque()
        self._lock = Lock()  # of what is summed up

    def add(self, value: float, attributes: Attributes) -> None:
        """Add a value."""
        self._pending.append((value, attributes))
        if len(self._pending) >= _MOST:
            with self.summed_up():
                pass

    @contextmanager
    def summed_up(self) -> Iterator[None]:
        """Sum up all that wait; the sums stay as they are in it."""
        with self._lock:
            while self._pending:
                self._sum_up(*self._pending.popleft())
            yield
