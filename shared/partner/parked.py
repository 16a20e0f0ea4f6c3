"""The messages that one instance has sent back: how long each waits, and how many there are."""

from __future__ import annotations

import math
import time
from collections.abc import Callable

# 10,000 messages that wait half an hour are about seven a second that come and are parked again.
LONGEST_WAIT = 1800.0
RETURNS_A_SECOND = 5
_GRACE = 60.0  # after which a message that was due is taken to be handled by another instance
_LONGEST_DELAY = 1.2 * 86_400.0  # of the retry schedule
_MAX_ENTRIES = 50_000
_PRUNE_SECONDS = 30.0


class Parked:
    """What waits on `retries` because of the gate. `shortest` is in seconds.

    `clock` gives seconds, `chance` numbers from 0 to 1.
    """

    def __init__(
        self,
        shortest: float,
        clock: Callable[[], float] = time.monotonic,
        chance: Callable[[], float] = lambda: 0.0,
    ) -> None:
        self._shortest = shortest
        self._clock = clock
        self._chance = chance
        self._due: dict[str, float] = {}
        self._failed: dict[str, float] = {}
        self._pruned_at = -math.inf
        self._probe_at = -math.inf  # the last probe that a message was sent to wait for

    def park(self, message_id: str, probe_at: float, open_seconds: float) -> float:
        """Return the seconds that a message has to wait.

        As long as the partner has been away, so that a short absence costs no long wait; longer
        where many wait, so that they do not come back faster than this instance parks them.
        `probe_at` is when the next probe is due, infinite without one. One message comes back just
        then: where few wait, no other might for long.
        """
        now = self._clock()
        if self._probe_at < probe_at < math.inf:
            self._probe_at = probe_at
            delay = max(1.0, probe_at - now + self._chance())
        else:
            wait = max(self._shortest, open_seconds, len(self._due) / RETURNS_A_SECOND)
            # Spread over half of it: what is parked together is not to come back together.
            delay = min(wait, LONGEST_WAIT) * (0.75 + self._chance() / 2)
        self._prune(now)
        if len(self._due) < _MAX_ENTRIES:
            self._due[message_id] = now + delay
        return delay

    def failed(self, message_id: str) -> None:
        """Count a message whose post failed, and which waits as the retry schedule says."""
        if len(self._failed) < _MAX_ENTRIES:
            self._failed[message_id] = self._clock() + _LONGEST_DELAY

    def handled(self, message_id: str) -> None:
        """Forget a message that came back, or does not come back."""
        self._due.pop(message_id, None)
        self._failed.pop(message_id, None)

    def count(self) -> int:
        """Return how many wait of those that this instance has sent back; 50,000 of each at most.

        One that was due for a minute and did not come back is another instance's.
        """
        self._prune(self._clock(), at_once=True)
        return len(self._due) + len(self._failed)

    def _prune(self, now: float, *, at_once: bool = False) -> None:
        if at_once or now - self._pruned_at >= _PRUNE_SECONDS:
            self._pruned_at = now
            for waiting in (self._due, self._failed):
                for one in [one for one, due in waiting.items() if due + _GRACE <= now]:
                    del waiting[one]
