"""Taking chosen messages off a queue, by several hands and in turns.

Service Bus gives out messages in their order, so the way to a chosen one leads over all before it.
What is passed over is deferred: it stays on the queue, locked by nobody, and from then on its
sequence number leads straight to it. Holding it locked instead would take the memory for all of
them, and no lock lasts that long; giving it back would hand it out again at once.

Each time a message is received counts against the queue's maxDeliveryCount. That of `rejected` is
the highest there is, so that operators who look through it make no dead letters of its messages.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass, field

from azure.core.exceptions import AzureError
from azure.servicebus import ServiceBusReceivedMessage
from azure.servicebus.aio import ServiceBusClient, ServiceBusReceiver
from azure.servicebus.exceptions import MessageLockLostError, MessageNotFoundError

from ops.rejected import Rejected
from shared.azure.queues import BusError

Messages = Sequence[ServiceBusReceivedMessage]
Action = Callable[[Messages], Awaitable[Sequence[str | None]]]
"""What is done to messages before they are completed; tells for each what hindered it, or None."""

_WORKERS = 4
_AT_ONCE = 50
_OCTETS_AT_ONCE = 256 * 1024  # of deferred messages, because they come in one answer
_PEEK_AT_ONCE = 250
_WAIT = 1.0
# Longer than a lock of the queue lasts: by then whoever holds a message has settled or lost it.
_PATIENCE = 75.0
_NOT_HERE = (MessageNotFoundError, MessageLockLostError)


async def look(
    receiver: ServiceBusReceiver, first: int = 1, last: int | None = None
) -> AsyncIterator[Rejected]:
    """Give all messages from one sequence number to another; that locks and counts nothing."""
    while last is None or first <= last:
        peeked = await receiver.peek_messages(_PEEK_AT_ONCE, sequence_number=first)
        if not peeked:
            return
        for message in map(Rejected.from_received, peeked):
            if last is not None and message.sequence_number > last:
                return
            first = message.sequence_number + 1
            yield message


@dataclass
class QueueJob:
    """An action on the messages of a queue that are `wanted`, by sequence number.

    `run` ends when each is `done`, `vanished` (somebody else took it) or `failed`, or when `stop`
    is set, by the user or by a `failure` of the bus: then what is in hand is finished, the rest
    stays `wanted`, and the same job can be run again. `backlog` is how many messages stand on the
    queue up to the last wanted one.
    """

    client: ServiceBusClient
    queue: str
    wanted: dict[int, Rejected]
    backlog: int
    action: Action
    on_progress: Callable[[QueueJob], None]
    stop: asyncio.Event = field(default_factory=asyncio.Event)
    done: list[Rejected] = field(default_factory=list)
    vanished: list[Rejected] = field(default_factory=list)
    failed: list[tuple[Rejected, str]] = field(default_factory=list)
    failure: Exception | None = None
    held: bool = False

    async def run(self) -> None:
        """Do it, as far as it goes."""
        self.last = max(self.wanted, default=0)
        patience = time.monotonic() + _PATIENCE
        while self.wanted and not self.stop.is_set():
            before = len(self.wanted)
            async with asyncio.TaskGroup() as workers:
                for part in self._parts():
                    workers.create_task(self._guarded(self._with_a_worker(part)))
            if self.wanted and not self.stop.is_set():
                await self._guarded(self._look_again())
            if len(self.wanted) < before:
                patience = time.monotonic() + _PATIENCE
            elif time.monotonic() > patience:
                return
            elif self.wanted:
                await self._pause()

    @property
    def total(self) -> int:
        """How many messages it is about."""
        return sum(map(len, (self.wanted, self.done, self.vanished, self.failed)))

    def _parts(self) -> Iterator[list[Rejected]]:
        """Deal out the deferred messages to as many hands as are of use."""
        aside = [message for message in self.wanted.values() if message.set_aside]
        workers = min(_WORKERS, -(-self.backlog // _AT_ONCE))
        for worker in range(workers):
            yield aside[worker::workers]

    async def _guarded(self, work: Awaitable[None]) -> None:
        """Let a failure of one hand end the others' work in good order."""
        try:
            await work
        except (AzureError, BusError, OSError) as error:
            self.failure = self.failure or error
            self.stop.set()

    async def _with_a_worker(self, aside: list[Rejected]) -> None:
        async with self.client.get_queue_receiver(self.queue) as receiver:
            worker = _QueueWorker(self, receiver)
            await worker.take_waiting()
            await worker.take_deferred(aside)

    async def _look_again(self) -> None:
        """Learn which of the messages somebody else took, or deferred, meanwhile."""
        async with self.client.get_queue_receiver(self.queue) as receiver:
            first, last = min(self.wanted), max(self.wanted)
            there = {one.sequence_number: one async for one in look(receiver, first, last)}
        for number in list(self.wanted):
            if number not in there:
                self.vanished.append(self.wanted.pop(number))
            else:
                self.wanted[number] = there[number]
        self.backlog = len(self.wanted)

    async def _pause(self) -> None:
        self.held = True
        self.on_progress(self)
        try:
            await asyncio.wait_for(self.stop.wait(), _WAIT)
        except TimeoutError:
            self.held = False

    def mark_done(self, number: int, problem: str | None) -> None:
        """Note what became of a message."""
        message = self.wanted.pop(number, None)
        if message and problem is None:
            self.done.append(message)
        elif message and problem is not None:
            self.failed.append((message, problem))

    @property
    def is_waiting(self) -> bool:
        """Return whether any of the messages is one that is received in turn."""
        return any(not message.set_aside for message in self.wanted.values())


class _QueueWorker:
    """One receiver at work on a job."""

    def __init__(self, job: QueueJob, receiver: ServiceBusReceiver) -> None:
        self._job = job
        self._receiver = receiver

    async def take_waiting(self) -> None:
        """Receive in turn until there is nothing more, or nothing more that is wanted."""
        job = self._job
        while job.is_waiting and not job.stop.is_set():
            batch = await self._receiver.receive_messages(_AT_ONCE, max_wait_time=_WAIT)
            wanted = [m for m in batch if m.sequence_number in job.wanted]
            others = [m for m in batch if m.sequence_number not in job.wanted]
            await self._do(wanted)
            for message in others:
                await self._pass_over(message)
            if not any(self._is_before_last(message) for message in batch):
                return

    async def take_deferred(self, messages: list[Rejected]) -> None:
        """Receive messages by their numbers."""
        for some in chunks(messages):
            if self._job.stop.is_set():
                return
            await self._do(await self._receive([message.sequence_number for message in some]))

    async def _receive(self, numbers: list[int]) -> Messages:
        """Receive those that are there: of several, one that is not spoils the request for all."""
        numbers = [number for number in numbers if number in self._job.wanted]
        if not numbers:
            return []
        try:
            return await self._receiver.receive_deferred_messages(numbers)
        except _NOT_HERE:
            if len(numbers) == 1:
                return []
        half = len(numbers) // 2
        return [*await self._receive(numbers[:half]), *await self._receive(numbers[half:])]

    async def _do(self, messages: Messages) -> None:
        if not messages:
            return
        for message, problem in zip(messages, await self._job.action(messages), strict=True):
            await self._settle(message, problem)
        self._job.on_progress(self._job)

    async def _settle(self, message: ServiceBusReceivedMessage, problem: str | None) -> None:
        if problem is not None:
            await self._pass_over(message)
        else:
            try:
                await self._receiver.complete_message(message)
            except _NOT_HERE:
                return  # It took longer than the lock lasts: the message comes again.
        self._job.mark_done(message.sequence_number or 0, problem)

    async def _pass_over(self, message: ServiceBusReceivedMessage) -> None:
        try:
            if self._is_before_last(message):
                await self._receiver.defer_message(message)
            else:
                await self._receiver.abandon_message(message)
        except _NOT_HERE:
            pass

    def _is_before_last(self, message: ServiceBusReceivedMessage) -> bool:
        return (message.sequence_number or 0) <= self._job.last


def chunks(messages: list[Rejected]) -> Iterator[list[Rejected]]:
    """Cut a list so that no portion has too many messages or octets."""
    portion: list[Rejected] = []
    octets = 0
    for message in messages:
        if portion and (len(portion) == _AT_ONCE or octets + message.size > _OCTETS_AT_ONCE):
            yield portion
            portion, octets = [], 0
        portion.append(message)
        octets += message.size
    if portion:
        yield portion
