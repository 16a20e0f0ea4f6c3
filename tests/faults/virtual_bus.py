"""Queues of the bus and the host's triggers, in virtual time.

A queue is the pure one of the local cloud: it has a size, locks, delivery counts, scheduled
messages and duplicate detection. What is here gives it a clock, and receivers.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from azure.functions.servicebus import ServiceBusMessage as Triggered
from azure.servicebus import ServiceBusMessage, ServiceBusReceivedMessage

from local.bus.amqp.encoding import encode_section
from local.bus.amqp.errors import LockLostError, MessageNotFoundError
from local.bus.amqp.message import SCHEDULED_TIME, Message, application_properties
from local.bus.amqp.values import Timestamp
from local.bus.broker.entity import Counts
from local.bus.broker.entry import QueueEntry
from local.bus.broker.queue import Queue
from local.deployment.resources import QueueSpec
from shared.apps.receiver import CALL_SECONDS
from shared.azure.queues import QueueRefusedError
from shared.concurrency.holding import pausing
from tests.unit.shared.apps.days import START, properties_of, virtual_seconds
from tests.unit.shared.message.peeked import peeked
from tests.unit.shared.message.triggered import triggered

MIB = 1024 * 1024
OPERATION_SECONDS = 0.005  # that the bus takes for each
CALLS = 64  # `maxConcurrentCalls` of host.json, of each function
PAGE = 100  # messages that one peek returns at most
_APPLICATION_PROPERTIES = 0x74
# The host renews the lock of a minute for five.
_LOCK = timedelta(minutes=5)
Handle = Callable[[Triggered], Awaitable[None]]


@dataclass
class Trigger:
    """One function of one instance; `calls` are under way, and `handled` had one, by their ids."""

    handle: Handle
    handled: set[str] = field(default_factory=set)
    calls: int = 0


@dataclass
class VirtualQueue:
    """A queue of `megabytes`; `refused_at` are the times of what it had no room for.

    `left` are the ids of messages that a call left on it, since it failed.
    """

    name: str
    megabytes: int
    triggers: list[Trigger] = field(default_factory=list)
    refused_at: list[float] = field(default_factory=list)
    left: set[str] = field(default_factory=set)
    locks_lost: int = 0

    def __post_init__(self) -> None:
        spec = QueueSpec(
            *("", self.name, _LOCK, 2000, timedelta(minutes=10)),
            max_size_bytes=self.megabytes * MIB,
        )
        self.queue = Queue(spec)
        self._calls: set[asyncio.Task[None]] = set()
        self._timer: asyncio.TimerHandle | None = None

    @property
    def counts(self) -> Counts:
        return self.queue.counts(_now())

    @property
    def is_empty(self) -> bool:
        """Whether there is no message on it, nor among its dead letters."""
        dead = self.queue.dead_letters
        return not len(self.queue.store) and not (dead and len(dead.store))

    async def send(self, message: ServiceBusMessage) -> None:
        """Send as `sending` does. Raises `BusError`."""
        await asyncio.sleep(OPERATION_SECONDS)
        due = message.scheduled_enqueue_time_utc
        sent = Message(
            durable=True,
            priority=None,
            time_to_live=None,
            annotations={SCHEDULED_TIME: Timestamp(due.timestamp() * 1000)} if due else {},
            message_id=str(message.message_id),
            properties=str(message.message_id).encode(),
            application_properties=encode_section(
                _APPLICATION_PROPERTIES, dict(properties_of(message).items())
            ),
            body=b"".join(message.body),
        )
        if not self.queue.has_room(sent.size):
            self.refused_at.append(virtual_seconds())
            raise QueueRefusedError(f"queue {self.name} is full")
        self.queue.send(sent, _now())
        self._deliver()

    @asynccontextmanager
    async def opened(self) -> AsyncIterator[VirtualQueue]:
        """Give it as a `WaitingQueue`."""
        yield self

    async def peek(self, first: int) -> Sequence[ServiceBusReceivedMessage]:
        """Return a page, as `ScheduledQueue` does."""
        await asyncio.sleep(OPERATION_SECONDS)
        found = self.queue.peek(first, PAGE, _now())
        return [_peeked(entry) for entry in found]

    async def cancel(self, numbers: Sequence[int]) -> int:
        """Cancel, as `ScheduledQueue` does."""
        await asyncio.sleep(OPERATION_SECONDS)
        gone = 0
        for number in numbers:
            try:
                self.queue.cancel([number], _now())
            except MessageNotFoundError:
                gone += 1
        return gone

    def _deliver(self) -> None:
        """Give what is there to triggers with a place, those first that have the fewest calls."""
        while self.triggers:
            trigger = min(self.triggers, key=lambda one: one.calls)
            entry = self.queue.receive(_now()) if trigger.calls < CALLS else None
            if entry is None:
                break
            trigger.calls += 1
            call = asyncio.create_task(self._call(trigger, entry))
            self._calls.add(call)
            call.add_done_callback(self._calls.discard)
        self._wait()

    async def _call(self, trigger: Trigger, entry: QueueEntry) -> None:
        assert entry.lock
        deliveries = entry.delivery_count + 1
        message = triggered(
            entry.message.message_id,
            entry.message.body,
            deliveries=deliveries,
            properties=_properties(entry),
        )
        settle = self.queue.complete
        own_id = entry.message.message_id.partition(".")[0]
        trigger.handled.add(own_id)
        try:
            async with pausing(deliveries, CALL_SECONDS):
                await trigger.handle(message)
        except Exception:  # whatever it is, the host abandons
            settle = self.queue.abandon
            self.left.add(own_id)
        try:
            settle(entry.lock.token, _now())
        except LockLostError:
            self.locks_lost += 1
        trigger.calls -= 1
        self._deliver()

    def _wait(self) -> None:
        at = self.queue.next_event()
        if self._timer:
            self._timer.cancel()
        if at < math.inf:
            # A little later: at the very time, rounding may leave the event to come.
            later = max(at - _now(), 0.0) + 0.001
            self._timer = asyncio.get_running_loop().call_later(later, self._deliver)


def _now() -> float:
    return START.timestamp() + virtual_seconds()


def _peeked(entry: QueueEntry) -> ServiceBusReceivedMessage:
    due = entry.message.scheduled_time
    return peeked(
        entry.sequence_number,
        entry.message.message_id,
        due=None if due is None else datetime.fromtimestamp(due, UTC),
        state=entry.state,
        body=entry.message.body,
        properties=_properties(entry),
    )


def _properties(entry: QueueEntry) -> dict[str, str]:
    if not entry.message.application_properties:
        return {}
    found = application_properties(entry.message)
    return {str(name): str(text) for name, text in found.items()}
