"""One line in the log when a service stops serving and one when it serves again.

What fails in between, request by request, is for level debug: hundreds of equal lines hide the
one that matters, and cost what telemetry costs.
"""

from __future__ import annotations

import logging
import time
from collections import deque
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from types import TracebackType

from shared.errors import RelayError
from shared.telemetry import recording
from shared.telemetry.metrics import DENIED, THROTTLED

_MAX_ANNOUNCED = 3  # outages of one service in a window: of one that comes and goes
_WINDOW = 600.0  # seconds
_EXAMPLES = 5  # failures of an outage whose consequence for a message is logged


@dataclass
class _Outage:
    since: float
    failures: int = 0
    announced: bool = False
    is_denial: bool = False  # as it was announced


class Outages:
    """The services that do not work right now. A denial is for an operator to correct.

    `clock` gives seconds.
    """

    def __init__(self, log: logging.Logger, clock: Callable[[], float] = time.monotonic) -> None:
        self._log = log
        self._clock = clock
        self._now: dict[str, _Outage] = {}
        self._announced: dict[str, deque[float]] = {}

    def failed(
        self, service: str, error: RelayError | TimeoutError, *, is_news: bool = True
    ) -> None:
        """Record a failure; `is_news` is false where it may be of one request, not the service."""
        is_denial = isinstance(error, RelayError) and error.is_denial
        if is_denial:
            recording.count(DENIED, 1, {"relay.service": service})
        if isinstance(error, RelayError) and error.is_throttled:
            recording.count(THROTTLED, 1, {"relay.service": service})
        outage = self._now.get(service)
        if outage is None:
            outage = self._now[service] = _Outage(self._clock())
        outage.failures += 1
        # A denial is news during an outage, but a service that denies may also be away at times.
        is_first = not outage.announced or (is_denial and not outage.is_denial)
        if is_news and is_first and self._may_announce(service):
            outage.announced, outage.is_denial = True, is_denial
            level = logging.ERROR if is_denial else logging.WARNING
            state = "refuses" if is_denial else "is away"
            self._log.log(level, "%s %s, until further notice: %s", service, state, error)
        else:
            self._log.debug("%s: %s", service, error)

    def works(self, service: str, note: str = "") -> None:
        """Record a success. `note` ends the line that says so."""
        outage = self._now.pop(service, None)
        if outage is None:
            return
        level = logging.WARNING if outage.announced else logging.DEBUG
        seconds = self._clock() - outage.since
        failures = outage.failures
        if note:
            line = (service, seconds, failures, note)
            self._log.log(level, "%s serves again, after %.0f s and %d failures; %s", *line)
        else:
            shown = (service, seconds, failures)
            self._log.log(level, "%s serves again, after %.0f s and %d failures", *shown)

    @property
    def level(self) -> int:
        """The level for what an outage means for one message: INFO for some examples only."""
        most = max((outage.failures for outage in self._now.values()), default=0)
        return logging.INFO if most <= _EXAMPLES else logging.DEBUG

    def watching(
        self, service: str, failures: type[RelayError] | tuple[type[RelayError], ...]
    ) -> AbstractContextManager[None]:
        """Record whether its body ends by one of `failures`, or succeeds."""
        return _Watching(self, service, failures)

    def _may_announce(self, service: str) -> bool:
        announced = self._announced.setdefault(service, deque())
        now = self._clock()
        while announced and announced[0] <= now - _WINDOW:
            announced.popleft()
        if len(announced) >= _MAX_ANNOUNCED:
            return False
        announced.append(now)
        return True


class _Watching:
    """See `Outages.watching`; not a generator, which each message would pay for several times."""

    __slots__ = ("_failures", "_outages", "_service")

    def __init__(
        self,
        outages: Outages,
        service: str,
        failures: type[RelayError] | tuple[type[RelayError], ...],
    ) -> None:
        self._outages, self._service, self._failures = outages, service, failures

    def __enter__(self) -> None:
        pass

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if error is None:
            self._outages.works(self._service)
        elif isinstance(error, RelayError) and isinstance(error, self._failures):
            self._outages.failed(self._service, error)
