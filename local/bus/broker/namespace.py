"""Queues together: who waits for their messages, forwarding, and the time of the next event."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from typing import Protocol

from local.bus.amqp.message import Message
from local.bus.broker.address import Address
from local.bus.broker.journal import Journal
from local.bus.broker.queue import DEAD_LETTER_SUFFIX, Counts, Queue
from local.bus.broker.store import QueueEntry
from local.deployment.resources import NamespaceSpec, QueueSpec

MAX_HOPS = 4


class Consumer(Protocol):
    """Someone who takes messages of a queue as they come."""

    deletes: bool

    def is_ready(self) -> bool:
        """Return whether one more message can be taken, and may be."""

    def deliver(self, entry: QueueEntry) -> None:
        """Take a message: locked, or removed already where the consumer deletes."""


class Namespace:
    """All queues of a namespace. `alarm` is told when `advance` is next to be called.

    With a journal they hold what it kept, and it is told each change.
    """

    def __init__(
        self,
        spec: NamespaceSpec,
        clock: Callable[[], float],
        alarm: Callable[[float], None] = lambda _: None,
        journal: Journal | None = None,
    ) -> None:
        check_forwarding(spec.queues)
        self.clock = clock
        self._alarm = alarm
        self._queues = {queue.name.lower(): queue for queue in _queues(spec.queues, journal)}
        self._waiting: dict[Queue, deque[Consumer]] = {}
        self._held_back: set[Queue] = set()

    def find(self, address: Address) -> Queue | None:
        """Give the queue, or dead-letter queue, at an address."""
        queue = self._queues.get(address.entity)
        return queue.dead_letters if queue and address.is_dead_letter else queue

    def counts(self) -> dict[str, Counts]:
        """Count the messages of each queue by state."""
        now = self.clock()
        return {queue.spec.name: queue.counts(now) for queue in self._queues.values()}

    def send(self, queue: Queue, messages: Sequence[tuple[Message, int]]) -> list[int]:
        """Put messages, each with its size in octets, to a queue: all, or none by AmqpError."""
        for message, size in messages:
            queue.check(message, size)
        now = self.clock()
        numbers = [queue.send(message, now) for message, _ in messages]
        self.changed(queue)
        return numbers

    def wait(self, queue: Queue, consumer: Consumer) -> None:
        """Let a consumer have messages as long as it is ready."""
        waiting = self._waiting.setdefault(queue, deque())
        if consumer not in waiting:
            waiting.append(consumer)
        self._dispatch(queue)
        self._alarm(queue.next_event())

    def leave(self, queue: Queue, consumer: Consumer) -> None:
        """Forget a consumer."""
        waiting = self._waiting.get(queue)
        if waiting is not None and consumer in waiting:
            waiting.remove(consumer)

    def changed(self, queue: Queue) -> None:
        """Pass on what an operation on a queue set free."""
        for one in (queue, queue.dead_letters, *self._held_back):
            if one is not None:
                self._forward(one)
                self._dispatch(one)
                self._alarm(one.next_event())

    def advance(self) -> None:
        """Let happen in every queue what is due."""
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
        """Hand out messages, one to each ready consumer in turn."""
        waiting = self._waiting.get(queue)
        if not waiting:
            return
        now = self.clock()
        while waiting:
            consumer = waiting.popleft()
            if not consumer.is_ready():
                continue
            entry = queue.take(now) if consumer.deletes else queue.receive(now)
            if entry is None:
                waiting.appendleft(consumer)
                return
            waiting.append(consumer)
            consumer.deliver(entry)

    def _forward(self, queue: Queue) -> None:
        """Move what waits in a queue to the one it forwards to, while there is room."""
        if queue.forward_to is None:
            return
        target = self._queues[queue.forward_to.lower()]
        now = self.clock()
        self._held_back.discard(queue)
        moved = False
        while (entry := queue.first(now)) is not None:
            if not target.has_room(entry.message.size):
                self._held_back.add(queue)
                break
            # Put before it is removed: a fault between the two may double it but not lose it.
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
    """Raise ValueError for a forward to nowhere, in a circle, or over more than four hops."""
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
