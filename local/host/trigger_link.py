"""One link of a trigger: messages that arrive on it, and the calls that are made for them."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime, timedelta
from uuid import UUID

from local.bus.amqp.errors import LOCK_LOST
from local.bus.amqp.values import Array, Timestamp, Value
from local.host.bindings import QueueFunction
from local.host.host_json import ServiceBusOptions
from local.host.service_bus.connection import BusConnection, BusLinkError
from local.host.service_bus.received import ReceivedMessage
from local.host.service_bus.receiver import QueueReceiver, Settlement
from local.host.service_bus.renewal import LockRenewer
from local.host.service_bus.requests import RequestLink

# How long the .NET client waits for more messages once one has come
# (`AmqpReceiver.ReceiveMessagesAsyncInternal`).
_MORE_SECONDS = 0.02
_UUIDS = 0x98  # constructor of an array's items
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_log = logging.getLogger("Host.ServiceBus")

Call = Callable[[Sequence[ReceivedMessage]], Awaitable[None]]
"""Calls the function for messages; whatever it raises fails all of them."""


class Calls:
    """The calls of one function that run now: they outlive the link that their messages came by."""

    def __init__(self) -> None:
        self.running: set[asyncio.Task[None]] = set()
        self.on_end: Callable[[], None] = lambda: None

    def start(self, call: Awaitable[None]) -> asyncio.Task[None]:
        """Run a call."""

        async def run() -> None:
            await call

        task = asyncio.create_task(run())
        self.running.add(task)
        task.add_done_callback(self._ended)
        return task

    def _ended(self, task: asyncio.Task[None]) -> None:
        self.running.discard(task)
        self.on_end()


class TriggerLink:
    """Receives on one link, calls the function, and settles by what comes of that."""

    def __init__(
        self,
        connection: BusConnection,
        function: QueueFunction,
        options: ServiceBusOptions,
        calls: Calls,
        call: Call,
        stopping: asyncio.Event,
    ) -> None:
        self._connection = connection
        self._function = function
        self._options = options
        self._calls = calls
        self._call = call
        self._stopping = stopping
        self._batch: list[ReceivedMessage] | None = None
        self._prefetched: deque[ReceivedMessage] = deque()
        self._changed = asyncio.Event()
        self._requests: RequestLink | None = None
        self.renewer = LockRenewer(self._renew, options.max_auto_lock_renewal.total_seconds())
        on_message = self._collect if function.many else self._begin
        self.receiver = QueueReceiver(connection, function.queue, on_message)

    @property
    def _is_over(self) -> bool:
        return self._stopping.is_set() or self.receiver.lost.is_set()

    async def receive(self) -> None:
        """Return when the trigger stops, or the link is lost; calls may still run then."""
        watching = [
            asyncio.create_task(self._note(event)) for event in (self._stopping, self.receiver.lost)
        ]
        self._calls.on_end = self._on_end
        try:
            if self._function.many:
                await self._receive_batches()
            else:
                self._allow()
                await self._wait_until(lambda: self._is_over)
                await self._settle([*self._prefetched], Settlement.ABANDON)
        finally:
            for task in watching:
                task.cancel()
            self._calls.on_end = lambda: None
            self.receiver.allow(0)

    # One by one

    @property
    def _is_busy(self) -> bool:
        return len(self._calls.running) >= self._options.max_concurrent_calls

    def _allow(self) -> None:
        at_once = self._options.max_concurrent_calls + self._options.prefetch_count
        room = at_once - len(self._calls.running) - len(self._prefetched)
        self.receiver.allow(0 if self._is_over else max(0, room))

    def _begin(self, message: ReceivedMessage) -> None:
        if self._is_busy and not self._stopping.is_set():
            self._prefetched.append(message)
            return
        self._begin_one(message)
        self._allow()

    def _begin_one(self, message: ReceivedMessage) -> None:
        if self._stopping.is_set():
            # Delivered to a host that is stopping: abandoned without a call, as there.
            self._calls.start(self._settle([message], Settlement.ABANDON))
            return
        self.renewer.add(message.lock_token, message.locked_until_utc)
        self._calls.start(self._process([message]))

    def _on_end(self) -> None:
        self._changed.set()
        if self._function.many:
            return
        while self._prefetched and not self._is_busy:
            self._begin_one(self._prefetched.popleft())
        self._allow()

    # Batches

    def _collect(self, message: ReceivedMessage) -> None:
        if self._batch is None:
            # On its way when the batch was closed: not looked at, so that it does not count.
            self._calls.start(self._settle([message], Settlement.RELEASE))
            return
        self._batch.append(message)
        self._changed.set()

    async def _receive_batches(self) -> None:
        while not self._is_over:
            await self._wait_until(lambda: self._is_over or not self._calls.running)
            batch = await self._next_batch()
            if self._stopping.is_set():
                await self._settle(batch, Settlement.ABANDON)
            elif batch:
                self._calls.start(self._process(batch))

    async def _next_batch(self) -> Sequence[ReceivedMessage]:
        batch = self._batch = []
        most, least = self._function.max_batch, self._options.min_batch
        self.receiver.allow(0 if self._is_over else most)
        await self._wait_until(lambda: self._is_over or bool(batch))
        await self._wait_until(lambda: self._is_over or len(batch) >= most, _MORE_SECONDS)
        seconds = self._options.max_batch_wait.total_seconds()
        await self._wait_until(lambda: self._is_over or len(batch) >= least, seconds)
        self.receiver.allow(0)
        self._batch = None
        return batch

    # Both

    async def _process(self, messages: Sequence[ReceivedMessage]) -> None:
        try:
            await self._call(messages)
        except Exception:  # noqa: BLE001 - logged by whoever makes the call
            await self._settle(messages, Settlement.ABANDON)
            return
        if self._stopping.is_set() and not self._function.many:
            _log.warning("%s: a message is repeated because of the stop", self._function.label)
            await self._settle(messages, Settlement.ABANDON)
        elif self._function.completes:
            await self._settle(messages, Settlement.COMPLETE)
        for message in messages:
            self.renewer.remove(message.lock_token)

    async def _settle(self, messages: Sequence[ReceivedMessage], outcome: Settlement) -> None:
        for message in messages:
            self.renewer.remove(message.lock_token)
        for error in await self.receiver.settle(messages, outcome):
            # Where the link is lost, the lock expires and the bus delivers the message again.
            if error.condition == LOCK_LOST:
                lost = "%s: a lock was lost before its message was settled"
                _log.warning(lost, self._function.label)

    async def _renew(self, tokens: Sequence[UUID]) -> Sequence[datetime]:
        if self._requests is None:
            node = f"{self._function.queue}/$management"
            self._requests = RequestLink(self._connection, node)
        body: dict[Value, Value] = {"lock-tokens": Array(_UUIDS, tuple(tokens))}
        answer = await self._requests.request("com.microsoft:renew-lock", {}, body)
        ends = answer.get("expirations") if isinstance(answer, dict) else None
        if not isinstance(ends, Array) or len(ends.items) != len(tokens):
            raise BusLinkError("amqp:internal-error", "the bus does not say when locks end")
        return [
            _EPOCH + timedelta(milliseconds=end) for end in ends.items if isinstance(end, Timestamp)
        ]

    async def _note(self, event: asyncio.Event) -> None:
        await event.wait()
        self._changed.set()

    async def _wait_until(
        self, condition: Callable[[], bool], seconds: float | None = None
    ) -> None:
        """Return when something is true, or `seconds` are over."""
        try:
            async with asyncio.timeout(seconds):
                while not condition():
                    self._changed.clear()
                    await self._changed.wait()
        except TimeoutError:
            return
