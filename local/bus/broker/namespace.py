"""All queues of a namespace: their consumers, forwarding, and the time of the next event."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from typing import Protocol

from local.bus.amqp.errors import EntityNotFoundError
from local.bus.amqp.message import Message
from local.bus.broker.address import CBS, Address
from local.bus.broker.availability import QueueAvailability
from local.bus.broker.entry import QueueEntry
from local.bus.broker.journal import Journal
from local.bus.broker.queue import DEAD_LETTER_SUFFIX, Counts, Queue
from local.deployment.resources import NamespaceSpec, QueueSpec

MAX_HOPS = 4


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
        return queue.dead_letters if queue and address.is_dead_letter else queue

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
        for one in (queue, queue.dead_letters, *self._blocked_forwards):
            if one is not None:
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
            yield queue
            if queue.dead_letters is not None:
                yield queue.dead_letters

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
        """Move what waits in a queue to the one it forwards to, while there is room."""
        if queue.forward_to is None:
            return
        target = self._queues[queue.forward_to.lower()]
        now = self.clock()
        self._blocked_forwards.discard(queue)
        moved = False
        while (entry := queue.first(now)) is not None:
            has_room = target.has_room(entry.message.size)
            if not has_room or not self.availability.allows(target, "forward"):
                self._blocked_forwards.add(queue)
                break
            # Put before it is removed: a crash between the two may double it but not lose it.
            target.send(
                entry.message,
                now,
                origin=entry.enqueued_sequence_number or entry.sequence_number,
                source=queue.spec.name if queue.is_dead_letter else entry.dead_letter_source,
            )
            queue.take(now)
            moved = True
        if moved:
            self.changed(target)


def _queues(specs: Sequence[QueueSpec], journal: Journal | None) -> list[Queue]:
    if journal is None:
        return [Queue(spec) for spec in specs]
    journal.open_queues(
        name for spec in specs for name in (spec.name, spec.name + DEAD_LETTER_SUFFIX)
    )
    return [Queue(spec, journal.queue) for spec in specs]


def check_forwarding(queues: Iterable[QueueSpec]) -> None:
    """Raise ValueError for a forward to an unknown queue, in a circle, or over too many hops."""
    targets = {queue.name.lower(): queue.forward_to for queue in queues}
    for queue in queues:
        dead = queue.forward_dead_letters_to
        if dead is not None and dead.lower() not in targets:
            raise ValueError(f"queue {queue.name}: dead letters forward to unknown queue {dead}")
        hops, target = 0, queue.forward_to
        while target is not None:
            hops += 1
            if target.lower() not in targets:
                raise ValueError(f"queue {queue.name}: forwards to unknown queue {target}")
            if hops > MAX_HOPS:
                raise ValueError(f"queue {queue.name}: forwards in a circle, or over too many hops")
            target = targets[target.lower()]
