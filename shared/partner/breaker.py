"""Whether the partner is asked at all: a circuit breaker, without I/O and without a timer.

Closed, every message is posted. Open, none is until a probe is due: one message, at growing
intervals. A success closes it. An operator's pause blocks everything until it is taken back.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum, auto

FIRST_INTERVAL = 5.0  # seconds, between probes; each is twice the one before
AWAY_SECONDS = 60.0  # of nothing but failures, after which the partner counts as away
# Asked for by one answer: an answer to one message must not stop all others for long.
LONGEST_ASKED_BY_ONE = 60.0
LONGEST_ASKED = 3600.0
_JITTER = 0.2


class Failure(Enum):
    """What a failed delivery says of the partner."""

    POST = auto()
    """The post failed: of this message, or of all."""

    THROTTLED = auto()
    """It asks whoever posts to wait (429 or 503 with `Retry-After`)."""

    GONE = auto()
    """It wants no messages any more (410): whoever posts should stop (Standard Webhooks)."""

    NO_POST = auto()
    """Nothing could be posted, because of the partner's secret: true of every message."""


@dataclass(frozen=True)
class Attempt:
    """One message on its way to the partner, since `began` on the breaker's clock."""

    began: float
    is_probe: bool


@dataclass(frozen=True)
class Blocked:
    """No message goes to the partner before `until`, nor after it unless the probe succeeds.

    `until` is infinite for a pause, and in the past while a probe is under way.
    """

    until: float
    why: str


@dataclass(frozen=True)
class BreakerPolicy:
    """After how many messages in a row it opens, and the longest seconds between probes.

    `longest_without_post` is for probes that end at the partner's secret: the partner bears nothing
    of them, and an operator who has corrected the secret waits.
    """

    failures: int = 10
    longest_interval: float = 300.0
    longest_without_post: float = 30.0


class Breaker:
    """The state of one process. `clock` gives seconds, `chance` numbers from 0 to 1."""

    def __init__(
        self,
        policy: BreakerPolicy,
        clock: Callable[[], float] = time.monotonic,
        chance: Callable[[], float] = lambda: 0.0,
    ) -> None:
        self._policy = policy
        self._clock = clock
        self._chance = chance
        self._paused: str | None = None
        self._opened_at: float | None = None
        self._until = 0.0
        self._interval = FIRST_INTERVAL
        self._is_probing = False
        self._why = ""
        # Messages and not failures: one message that the partner dislikes, however often it is
        # tried, must not stop the others.
        self._failed_in_a_row: set[str] = set()
        self._failing_since: float | None = None
        self._is_certain = False  # that the failures are not of single messages
        self._accepted_at = -math.inf

    @property
    def is_open(self) -> bool:
        """Whether the partner is asked by probes only."""
        return self._opened_at is not None

    @property
    def pause_reason(self) -> str | None:
        """Why an operator has paused it; None if nobody has."""
        return self._paused

    @property
    def is_away(self) -> bool:
        """Whether the partner as a whole fails, as far as is known, and not single messages."""
        since = self._failing_since
        return self._is_certain or (since is not None and self._clock() - since >= AWAY_SECONDS)

    @property
    def open_seconds(self) -> float:
        """For how long it has been open, in seconds."""
        return 0.0 if self._opened_at is None else self._clock() - self._opened_at

    @property
    def blocked(self) -> Blocked | None:
        """What keeps a message from being posted now; None if nothing does."""
        if self._paused is not None:
            # Without the operator's reason: callers see this in the ledger.
            return Blocked(math.inf, "the partner is paused by an operator")
        now = self._clock()
        if self._opened_at is None or (now >= self._until and not self._is_probing):
            return None
        return Blocked(
            -math.inf if self._is_probing else self._until, f"the partner is away: {self._why}"
        )

    def admit(self) -> Attempt | Blocked:
        """Begin an attempt, which has to end by one of the methods below; or say what blocks it."""
        if blocked := self.blocked:
            return blocked
        self._is_probing = self.is_open
        return Attempt(self._clock(), self._is_probing)

    def accepted(self, attempt: Attempt) -> bool:
        """End an attempt that the partner accepted; return whether this closed the breaker."""
        self._accepted_at = self._clock()
        return self.answered(attempt)

    def answered(self, attempt: Attempt) -> bool:
        """End an attempt with a final answer about its message; return as `accepted`.

        Whoever judges a message is there, and what the deployment declares as final is a judgement.
        """
        self._end(attempt)
        was_open = self.is_open
        self._opened_at = None
        self._interval = FIRST_INTERVAL
        self._failed_in_a_row.clear()
        self._failing_since = None
        self._is_certain = False
        return was_open

    def failed(
        self,
        attempt: Attempt,
        message_id: str,
        why: str,
        failure: Failure = Failure.POST,
        asked: float | None = None,
    ) -> None:
        """End an attempt that failed. `asked` are the seconds of its `Retry-After`."""
        self._end(attempt)
        now = self._clock()
        if self._failing_since is None:
            self._failing_since = now
        if len(self._failed_in_a_row) < self._policy.failures:
            self._failed_in_a_row.add(message_id)
        asked = min(asked or 0.0, LONGEST_ASKED)
        is_gone = failure is Failure.GONE and now - self._accepted_at > AWAY_SECONDS
        certain = (
            len(self._failed_in_a_row) >= self._policy.failures
            or is_gone
            or failure is Failure.NO_POST
        )
        self._is_certain = self._is_certain or certain
        if attempt.is_probe and self.is_open:
            self._interval *= 2
            self._open(max(self._jittered(failure), asked), why)
        elif certain and not self.is_open:
            self._open(max(self._jittered(failure), asked), why)
        elif failure is Failure.THROTTLED and asked and not self.is_open:
            self._open(min(asked, LONGEST_ASKED_BY_ONE), why)

    def abandoned(self, attempt: Attempt) -> None:
        """End an attempt of which nothing is known, because its call was cancelled."""
        self._end(attempt)

    def pause(self, reason: str) -> bool:
        """Block everything, whatever the partner does; return whether it was not paused yet."""
        was_paused, self._paused = self._paused is not None, reason
        return not was_paused

    def resume(self) -> bool:
        """Take a pause back, and probe at once if open; return whether it was paused."""
        was_paused, self._paused = self._paused is not None, None
        if was_paused:
            self._until = self._clock()
        return was_paused

    def _open(self, seconds: float, why: str) -> None:
        now = self._clock()
        if self._opened_at is None:
            self._opened_at = now
        self._until = now + seconds
        self._why = why

    def _jittered(self, failure: Failure) -> float:
        policy = self._policy
        no_post = failure is Failure.NO_POST
        longest = policy.longest_without_post if no_post else policy.longest_interval
        self._interval = min(self._interval, longest)
        # Instances that failed together are not to probe together.
        return self._interval * (1 + _JITTER * self._chance())

    def _end(self, attempt: Attempt) -> None:
        if attempt.is_probe:
            self._is_probing = False
