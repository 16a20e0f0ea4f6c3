"""All queues of a namespace: their consumers, forwarding, and the time of the next event."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from typing import Protocol

from local.bus.amqp.errors import AmqpError, EntityNotFoundError
from local.bus.amqp.message import Message
from local.bus.broker.address import CBS, Address
from local.bus.broker.admission import check_message
from local.bus.broker.availability import QueueAvailability
from local.bus.broker.entry import QueueEntry
from local.bus.broker.journal import Journal
from local.bus.broker.queue import DEAD_LETTER_SUFFIX, TRANSFER_SUFFIX, Counts, Queue
from local.deployment.resources import NamespaceSpec, QueueSpec

MAX_HOPS = 4
_TOO_MANY_HOPS = (
    "MaxTransferHopCountExceeded",
    f"The maximum number of allowed hops when forwarding between queues is {MAX_HOPS}.",
)


class Consumer(Protocol):
    """Takes messages of a queue as they come; `deletes` for receive-and-delete."""

    deletes: bool

    def is_ready(self) -> bool:
        """Return whether one more message can be taken, and is allowed to be."""

    def deliver(self, entry: QueueEntry) -> None:
        """Take a message: locked, or removed already where the consumer deletes."""


class Namespace:
    """The queues of a namespace. `set_timer` gets the time at which `advance` is to be called next.

    With a journal they hold what it kept, and it records each change. `availability` says which
    queues refuse what is asked of them.
    """

    def __init__(
        self,
        spec: NamespaceSpec,
        clock: Callable[[], float],
        set_timer: Callable[[float], None] = lambda _: None,
        journal: Journal | None = None,
        availability: QueueAvailability | None = None,
    ) -> None:
        check_forwarding(spec.queues)
        self.host = spec.host
        self.clock = clock
        self.availability = availability or QueueAvailability()
        self._set_timer = set_timer
        self._queues = {queue.name.lower(): queue for queue in _queues(spec.queues, journal)}
        self._consumers: dict[Queue, deque[Consumer]] = {}
        self._blocked_forwards: set[Queue] = set()

    def find(self, address: Address) -> Queue | None:
        """Return the queue, or dead-letter queue, at an address."""
        queue = self._queues.get(address.entity)
        if queue is None or not address.is_dead_letter:
            return queue
        return queue.transfer_dead_letters if address.is_transfer else queue.dead_letters

    def require(self, address: Address) -> None:
        """Raise EntityNotFoundError unless the address is the namespace or something in it."""
        if address.entity not in ("", CBS) and self.find(address) is None:
            raise EntityNotFoundError(self.host, address.path)

    def counts(self) -> dict[str, Counts]:
        """Count the messages of each queue by state."""
        now = self.clock()
        return {queue.spec.name: queue.counts(now) for queue in self._queues.values()}

    def send(self, queue: Queue, messages: Sequence[tuple[Message, int]]) -> list[int]:
        """Put messages, each with its size in bytes, to a queue: all, or none. Raises AmqpError."""
        self.availability.require(queue, "send")
        for message, size in messages:
            queue.check(message, size)
        now = self.clock()
        numbers = [queue.send(message, now) for message, _ in messages]
        self.changed(queue)
        return numbers

    def add_consumer(self, queue: Queue, consumer: Consumer) -> None:
        """Deliver messages to a consumer for as long as it is ready."""
        consumers = self._consumers.setdefault(queue, deque())
        if consumer not in consumers:
            consumers.append(consumer)
        self._dispatch(queue)
        self._set_timer(queue.next_event())

    def remove_consumer(self, queue: Queue, consumer: Consumer) -> None:
        """Deliver no more to a consumer."""
        consumers = self._consumers.get(queue)
        if consumers is not None and consumer in consumers:
            consumers.remove(consumer)

    def changed(self, queue: Queue) -> None:
        """Forward and deliver what an operation on a queue made available."""
        for one in (*queue.parts(), *self._blocked_forwards):
            self._forward(one)
            self._dispatch(one)
            self._set_timer(one.next_event())

    def advance(self) -> None:
        """Do in every queue what is due."""
        now = self.clock()
        for queue in self._each():
            queue.advance(now)
        for queue in self._each():
            self.changed(queue)

    def next_event(self) -> float:
        """Return when something is due next; infinity for never."""
        return min((queue.next_event() for queue in self._each()), default=math.inf)

    def _each(self) -> Iterable[Queue]:
        for queue in self._queues.values():
            yield from queue.parts()

    def _dispatch(self, queue: Queue) -> None:
        """Deliver messages, one to each ready consumer in turn."""
        consumers = self._consumers.get(queue)
        if not consumers:
            return
        now = self.clock()
        while consumers:
            consumer = consumers.popleft()
            if not consumer.is_ready():
                continue
            entry = queue.take(now) if consumer.deletes else queue.receive(now)
            if entry is None:
                consumers.appendleft(consumer)
                return
            consumers.append(consumer)
            consumer.deliver(entry)

    def _forward(self, queue: Queue) -> None:
        """Move what waits in a queue to the one it forwards to.

        What cannot be forwarded goes to the transfer dead-letter queue. Dead letters that the
        other queue has no room for, or does not take now, wait instead: they are dead letters.
        """
        if queue.forward_to is None:
            return
        target = self._queues[queue.forward_to.lower()]
        now = self.clock()
        self._blocked_forwards.discard(queue)
        moved = False
        while (entry := queue.first(now)) is not None:
            if why := _not_forwardable(entry, target):
                queue.fail_transfer(entry, *why)
                continue
            if refusal := self._refusal(target, entry):
                if queue.is_dead_letter:
                    self._blocked_forwards.add(queue)
                    break
                queue.fail_transfer(entry, refusal.condition, refusal.description)
                continue
            # Put before it is removed: a crash between the two may double it but not lose it.
            target.send(
                entry.message.forwarded(),
                now,
                origin=entry.enqueued_sequence_number or entry.sequence_number,
                source=queue.spec.name if queue.is_dead_letter else entry.dead_letter_source,
            )
            queue.take(now)
            moved = True
        if moved:
            self.changed(target)

    def _refusal(self, target: Queue, entry: QueueEntry) -> AmqpError | None:
        """Return why a queue does not take a message from another now; None if it does."""
        if not target.has_room(entry.message.size):
            return target.full()
        return self.availability.refusal(target, "forward")


def _not_forwardable(entry: QueueEntry, target: Queue) -> tuple[str, str] | None:
    """Return reason and description where a queue never takes a message from another.

    Source: Microsoft Learn, "Overview of Service Bus dead-letter queues", for the hops.
    """
    if entry.message.hops >= MAX_HOPS:
        return _TOO_MANY_HOPS
    try:
        check_message(target.spec, entry.message, entry.message.size)
    except AmqpError as error:
        return error.condition, error.description
    return None


def _queues(specs: Sequence[QueueSpec], journal: Journal | None) -> list[Queue]:
    if journal is None:
        return [Queue(spec) for spec in specs]
    journal.open_queues(
        spec.name + part for spec in specs for part in ("", DEAD_LETTER_SUFFIX, TRANSFER_SUFFIX)
    )
    return [Queue(spec, journal.queue) for spec in specs]


def check_forwarding(queues: Iterable[QueueSpec]) -> None:
    """Raise ValueError for a forward to an unknown queue, or to the queue itself.

    A circle, or a chain of too many hops, can be deployed: its messages are dead-lettered.
    """
    names = {queue.name.lower() for queue in queues}
    for queue in queues:
        for target in (queue.forward_to, queue.forward_dead_letters_to):
            if target is not None and target.lower() not in names - {queue.name.lower()}:
                raise ValueError(f"queue {queue.name}: forwards to {target}, not another queue")
