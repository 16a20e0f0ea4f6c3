"""Whether the sender accepts another message, before a queue is full.

Not while its queue refuses what it sends, nor when too much is under way already. Decided from what
the sender has: its own sends, and the ledger that it shares with the tracker. It may not look at a
queue, and its callers wait for neither.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

from shared.azure.queues import BusDeniedError, BusError, QueueRefusedError
from shared.errors import RelayError
from shared.ledger.entry import Backlog
from shared.ledger.errors import LedgerError
from shared.telemetry.logs import location

# Beside its payload: header, wrapped data key, and properties with what later hops add to most.
MESSAGE_BYTES = 2048
_MIB = 1024 * 1024
_SHORTEST_WAIT, _LONGEST_WAIT = 5.0, 60.0  # seconds that a caller is asked to wait
_REFRESH_SECONDS = 5.0
_SHARE = 20  # a read that takes long is repeated as much later: it costs a twentieth at most
_STALE = 3  # periods without a new figure, after which the last one says nothing any more
_FULL_SECONDS = 30.0  # until a caller who was refused for a full queue should send again
# What is under way for longer is not counted: a row whose receipts were lost must not refuse
# callers for ever. Longer than the retry schedule, and than the week of what the vault denies.
_COUNTED = timedelta(days=8)
_log = logging.getLogger(__name__)


class OverloadedError(RelayError):
    """There is no room for another message now; `retry_after` says when to try again."""

    transient = True


def waiting_bytes(messages: int, payload_bytes: int) -> int:
    """Return how many bytes messages take up on a queue, with payloads of so many together."""
    # Base64url, as a JWE is written.
    return messages * MESSAGE_BYTES + payload_bytes * 4 // 3


class Refusals:
    """Whether the queue refuses messages, and since when. Pure.

    While it does, one message at a time is tried: so its return is noticed by the next caller, and
    few rows of refused messages are left in the ledger.
    """

    def __init__(self) -> None:
        self._since: float | None = None
        self._is_trying = False

    def refused(self, now: float) -> None:
        """Record a refusal."""
        self._since = now if self._since is None else self._since

    def accepted(self) -> None:
        """Record that the queue accepts messages."""
        self._since = None

    def wait(self, now: float) -> float | None:
        """Return how long a caller should wait, half of the time since; None if one may try."""
        if self._since is None or not self._is_trying:
            return None
        return min(max((now - self._since) / 2, _SHORTEST_WAIT), _LONGEST_WAIT)

    @contextmanager
    def trying(self) -> Iterator[None]:
        """Let one caller try; those that come meanwhile wait, if the queue refuses."""
        is_first, self._is_trying = self._since is not None, self._since is not None
        try:
            yield
        finally:
            if is_first:
                self._is_trying = False


class BacklogGauge:
    """The last figure of the ledger, and what this sender has added since. Pure.

    `limit_bytes` is what may be under way; 0 for no limit.
    """

    def __init__(self, limit_bytes: int) -> None:
        self._limit = limit_bytes
        self._period = _REFRESH_SECONDS
        self._began = float("-inf")
        self._read_at = float("-inf")
        self._bytes = 0
        self._added = 0
        self._added_before = 0

    @property
    def max_messages(self) -> int:
        """How many messages are worth counting: so many are too much, whatever their payloads."""
        return self._limit // MESSAGE_BYTES + 1

    def is_due(self, now: float) -> bool:
        """Return whether the ledger is to be asked for a new figure."""
        return self._limit > 0 and now - self._began >= self._period

    def began(self, now: float) -> None:
        """Record that the ledger is asked."""
        self._began = now
        self._added_before = self._added

    def read(self, backlog: Backlog, now: float) -> None:
        """Record its answer."""
        self._bytes = waiting_bytes(backlog.messages, backlog.payload_bytes)
        self._added -= self._added_before
        self._read_at = now
        self._period = max(_REFRESH_SECONDS, _SHARE * (now - self._began))

    def added(self, payload_bytes: int) -> None:
        """Record a message that this sender has sent."""
        self._added += waiting_bytes(1, payload_bytes)

    def is_full(self, now: float) -> bool:
        """Return whether too much is under way, by a figure that is not stale."""
        fresh = now - self._read_at < _STALE * self._period
        return self._limit > 0 and fresh and self._bytes + self._added >= self._limit


class Admission:
    """Refuses messages before they are accepted. `read_backlog` asks the ledger."""

    def __init__(
        self,
        read_backlog: Callable[[datetime, int], Awaitable[Backlog]],
        limit_mb: int,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._read_backlog = read_backlog
        self._clock = clock
        self._refusals = Refusals()
        self._gauge = BacklogGauge(limit_mb * _MIB)
        self._reading: asyncio.Task[None] | None = None
        self._was_full = False

    @contextmanager
    def admitted(self) -> Iterator[None]:
        """Send a message in it; raises `OverloadedError` where another one has no room now.

        The figure is renewed beside this call, not in it: the first callers see none, and those
        after an outage of the ledger an old one, which soon counts no more.
        """
        now = self._clock()
        if self._gauge.is_due(now) and (self._reading is None or self._reading.done()):
            self._gauge.began(now)
            self._reading = asyncio.create_task(self._read())
        if wait := self._refusals.wait(now):
            raise OverloadedError("the queue of messages refuses them", retry_after=wait)
        if self._is_full(now):
            raise OverloadedError("too much is under way", retry_after=_FULL_SECONDS)
        with self._refusals.trying():
            yield

    def _is_full(self, now: float) -> bool:
        is_full = self._gauge.is_full(now)
        if is_full and not self._was_full:
            _log.warning("callers are refused: too much is under way")
        elif self._was_full and not is_full:
            _log.warning("callers are no longer refused")
        self._was_full = is_full
        return is_full

    def sent(self, payload_bytes: int) -> None:
        """Record that a message is on its queue."""
        self._refusals.accepted()
        self._gauge.added(payload_bytes)

    def not_sent(self, error: BusError) -> None:
        """Record why one is not: a refusal is for all, a lost connection may be for this one."""
        if isinstance(error, QueueRefusedError | BusDeniedError):
            self._refusals.refused(self._clock())

    async def _read(self) -> None:
        try:
            since = datetime.now(UTC) - _COUNTED
            backlog = await self._read_backlog(since, self._gauge.max_messages)
        except LedgerError:
            return  # whoever sends a message learns of it, and it is logged there
        except Exception as error:  # noqa: BLE001 - nobody awaits this
            _log.error("unforeseen in counting what is under way: %s", location(error))
            return
        self._gauge.read(backlog, self._clock())
