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
from local.bus.broker.message_sessions import MessageSessionLock, MessageSessions
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

    @property
    def message_session(self) -> MessageSessionLock | None:
        """The session whose messages it takes, on a queue with sessions."""

    def session_lost(self) -> None:
        """Take note that the lock of the session expired."""

    def is_ready(self) -> bool:
        """Return whether one more message can be taken, and is allowed to be."""

    def deliver(self, entry: QueueEntry) -> None:
        """Take a message: locked, or removed already where the consumer deletes."""


class SessionWaiter(Protocol):
    """Waits for a message session that nobody has; until `deadline`, in seconds since 1970."""

    deadline: float

    @property
    def owner(self) -> object:
        """What else may use the session's lock."""

    def accept(self, lock: MessageSessionLock) -> None:
        """Take a session that was locked for it."""

    def timed_out(self) -> None:
        """Take note that there was none in time."""


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
        self._session_waiters: dict[Queue, list[SessionWaiter]] = {}
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

    def wait_for_session(self, queue: Queue, waiter: SessionWaiter) -> None:
        """Give a waiter the next session of a queue that is free and has messages."""
        self._session_waiters.setdefault(queue, []).append(waiter)
        self._set_timer(waiter.deadline)
        self._give_sessions(queue)

    def stop_waiting(self, queue: Queue, waiter: SessionWaiter) -> None:
        """Give no session to a waiter any more."""
        waiters = self._session_waiters.get(queue, [])
        if waiter in waiters:
            waiters.remove(waiter)

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
        for waiters in list(self._session_waiters.values()):
            for waiter in [one for one in waiters if one.deadline <= now]:
                waiters.remove(waiter)
                waiter.timed_out()
        for queue in self._each():
            self.changed(queue)

    def next_event(self) -> float:
        """Return when something is due next; infinity for never."""
        deadlines = (one.deadline for waiters in self._session_waiters.values() for one in waiters)
        queues = (queue.next_event() for queue in self._each())
        return min((*queues, *deadlines), default=math.inf)

    def _each(self) -> Iterable[Queue]:
        for queue in self._queues.values():
            yield from queue.parts()

    def _dispatch(self, queue: Queue) -> None:
        """Deliver messages, one to each ready consumer in turn."""
        consumers = self._consumers.get(queue)
        if queue.sessions is not None:
            self._dispatch_sessions(queue, queue.sessions, consumers or deque())
            return
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

    def _dispatch_sessions(
        self, queue: Queue, sessions: MessageSessions, consumers: deque[Consumer]
    ) -> None:
        """Deliver to each consumer what its session has."""
        now = self.clock()
        queue.advance(now)
        lost = sessions.take_lost()
        for consumer in [one for one in consumers if one.message_session in lost]:
            consumer.session_lost()
        for consumer in list(consumers):
            lock = consumer.message_session
            while consumer.is_ready():
                entry = queue.take(now, lock) if consumer.deletes else queue.receive(now, lock)
                if entry is None:
                    break
                consumer.deliver(entry)
        self._give_sessions(queue)

    def _give_sessions(self, queue: Queue) -> None:
        waiters = self._session_waiters.get(queue)
        while waiters and queue.sessions is not None:
            session_id = queue.sessions.next_available()
            if session_id is None:
                return
            waiter = waiters.pop(0)
            waiter.accept(queue.sessions.accept(session_id, self.clock(), waiter.owner))

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
