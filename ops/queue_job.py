"""Taking chosen messages off a queue, by several workers and in turns.

Service Bus gives out messages in their order, so all before a chosen one are received first.
What is passed over is deferred: it stays on the queue, locked by nobody, and from then on its
sequence number leads straight to it. Holding it locked instead would take the memory for all of
them, and no lock lasts that long; giving it back would hand it out again at once.

Each time a message is received counts against the queue's maxDeliveryCount. That of `rejected` is
the highest there is, so that operators who look through it make few dead letters of its messages;
those there are can be listed, replayed and dropped just the same. In a dead-letter queue nothing
is counted, and nothing expires.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass, field

from azure.core.exceptions import AzureError
from azure.servicebus import ServiceBusReceivedMessage, ServiceBusSubQueue
from azure.servicebus.aio import ServiceBusClient, ServiceBusReceiver
from azure.servicebus.exceptions import MessageLockLostError, MessageNotFoundError

from ops.rejected import Rejected
from ops.worklist import MAX_BATCH, Settlement, Worklist, chunks
from shared.azure.queues import BusError

Messages = Sequence[ServiceBusReceivedMessage]
Action = Callable[[Messages], Awaitable[Sequence[str | None]]]
"""What is done to messages before they are completed; returns for each why it failed, or None."""

_PEEK_BATCH = 250
_WAIT = 1.0
# Longer than a lock of the queue lasts: by then whoever holds a message has settled or lost it.
_PATIENCE = 75.0
_NOT_HERE = (MessageNotFoundError, MessageLockLostError)


@dataclass(frozen=True)
class Source:
    """A queue, or its dead-letter queue, that messages are looked at in and taken from."""

    client: ServiceBusClient
    queue: str
    dead_lettered: bool = False

    def receiver(self) -> ServiceBusReceiver:
        """Make a receiver, which connects when it is used."""
        sub_queue = ServiceBusSubQueue.DEAD_LETTER if self.dead_lettered else None
        return self.client.get_queue_receiver(self.queue, sub_queue=sub_queue)

    async def look(self, first: int = 1, last: int | None = None) -> AsyncIterator[Rejected]:
        """Give the messages from one sequence number to another; that locks and counts nothing."""
        async with self.receiver() as receiver:
            while last is None or first <= last:
                peeked = await receiver.peek_messages(_PEEK_BATCH, sequence_number=first)
                if not peeked:
                    return
                for one in peeked:
                    message = Rejected.from_received(one, dead_lettered=self.dead_lettered)
                    if last is not None and message.sequence_number > last:
                        return
                    first = message.sequence_number + 1
                    yield message


@dataclass
class QueueJob:
    """An action on the messages of a worklist.

    `run` ends when each is dealt with, or when `stop` is set, by the user or by a `failure` of the
    bus: then what is under way is finished, the rest stays wanted, and the same job can be run
    again. `is_held` is set while all that is left is locked by others.
    """

    source: Source
    worklist: Worklist
    action: Action
    on_progress: Callable[[QueueJob], None]
    stop: asyncio.Event = field(default_factory=asyncio.Event)
    failure: Exception | None = None
    is_held: bool = False

    async def run(self) -> None:
        """Do it, as far as it goes."""
        worklist = self.worklist
        patience = time.monotonic() + _PATIENCE
        while worklist.wanted and not self.stop.is_set():
            before = len(worklist.wanted)
            async with asyncio.TaskGroup() as workers:
                for share in worklist.shares():
                    workers.create_task(self._guarded(self._work(share)))
            if worklist.wanted and not self.stop.is_set():
                await self._guarded(self._look_again())
            if len(worklist.wanted) < before:
                patience = time.monotonic() + _PATIENCE
            elif time.monotonic() > patience:
                return
            elif worklist.wanted:
                await self._pause()

    async def _guarded(self, work: Awaitable[None]) -> None:
        """Let a failure of one worker end the others' work in good order."""
        try:
            await work
        except (AzureError, BusError, OSError) as error:
            self.failure = self.failure or error
            self.stop.set()

    async def _work(self, share: list[Rejected]) -> None:
        async with self.source.receiver() as receiver:
            worker = _QueueWorker(self, receiver)
            await worker.take_waiting()
            await worker.take_deferred(share)

    async def _look_again(self) -> None:
        wanted = self.worklist.wanted
        there = self.source.look(min(wanted), max(wanted))
        self.worklist.refresh({one.sequence_number: one async for one in there})

    async def _pause(self) -> None:
        self.is_held = True
        self.on_progress(self)
        try:
            await asyncio.wait_for(self.stop.wait(), _WAIT)
        except TimeoutError:
            self.is_held = False


class _QueueWorker:
    """One receiver at work on a job."""

    def __init__(self, job: QueueJob, receiver: ServiceBusReceiver) -> None:
        self._job = job
        self._worklist = job.worklist
        self._receiver = receiver

    async def take_waiting(self) -> None:
        """Receive in turn until there is nothing more, or nothing more that is wanted."""
        worklist = self._worklist
        while worklist.receives_in_turn and not self._job.stop.is_set():
            batch = await self._receiver.receive_messages(MAX_BATCH, max_wait_time=_WAIT)
            wanted = [one for one in batch if worklist.is_wanted(_number(one))]
            others = [one for one in batch if not worklist.is_wanted(_number(one))]
            await self._do(wanted)
            for message in others:
                await self._settle(message, is_done=False)
            if not worklist.has_more_after([_number(one) for one in batch]):
                return

    async def take_deferred(self, messages: list[Rejected]) -> None:
        """Receive messages by their numbers."""
        for some in chunks(messages):
            if self._job.stop.is_set():
                return
            await self._do(await self._receive([message.sequence_number for message in some]))

    async def _receive(self, numbers: list[int]) -> Messages:
        """Receive those that are there: of several, one that is not fails the request for all."""
        numbers = [number for number in numbers if self._worklist.is_wanted(number)]
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
            is_settled = await self._settle(message, is_done=problem is None)
            # If it took longer than the lock lasts, the message comes again.
            if is_settled or problem is not None:
                self._worklist.settled(_number(message), problem)
        self._job.on_progress(self._job)

    async def _settle(self, message: ServiceBusReceivedMessage, *, is_done: bool) -> bool:
        """Settle a message; return False where its lock was lost."""
        settle = {
            Settlement.COMPLETE: self._receiver.complete_message,
            Settlement.DEFER: self._receiver.defer_message,
            Settlement.ABANDON: self._receiver.abandon_message,
        }[self._worklist.settlement(_number(message), is_done=is_done)]
        try:
            await settle(message)
        except _NOT_HERE:
            return False
        return True


def _number(message: ServiceBusReceivedMessage) -> int:
    return message.sequence_number or 0
