"""All queues, topics and subscriptions of a namespace: consumers, forwarding, the next event."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from typing import Protocol

from local.bus.amqp.errors import AmqpError, EntityDeletedError, EntityNotFoundError
from local.bus.amqp.message import Message
from local.bus.broker.address import CBS, Address
from local.bus.broker.availability import QueueAvailability, StatusAvailability
from local.bus.broker.entity import DEAD_LETTER_SUFFIX, TRANSFER_SUFFIX, Counts
from local.bus.broker.entry import QueueEntry
from local.bus.broker.forwarding import check_forwarding, check_targets, not_forwardable
from local.bus.broker.journal import Journal
from local.bus.broker.message_sessions import MessageSessionLock, MessageSessions
from local.bus.broker.queue import Queue
from local.bus.broker.store import NullRecorder
from local.bus.broker.topic import Subscription, Topic
from local.deployment.resources import NamespaceSpec, QueueSpec, SubscriptionSpec, TopicSpec


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
    queues refuse what is asked of them. `on_change` is called after each change of an entity.
    `entities` are those to begin with, where they are others than the deployment's.
    """

    def __init__(
        self,
        spec: NamespaceSpec,
        clock: Callable[[], float],
        set_timer: Callable[[float], None] = lambda _: None,
        journal: Journal | None = None,
        availability: QueueAvailability | None = None,
        on_change: Callable[[], None] = lambda: None,
        entities: Sequence[QueueSpec] | None = None,
    ) -> None:
        if entities is None:
            check_forwarding(spec.entities)
            entities = spec.entities
        self.host = spec.host
        self.clock = clock
        self.availability = StatusAvailability(availability or QueueAvailability())
        self._set_timer = set_timer
        self._journal = journal
        self._on_change = on_change
        self._recorder = journal.queue if journal is not None else lambda _: NullRecorder()
        self._queues: dict[str, Queue] = {}
        if journal is not None:
            journal.open_queues(name for one in entities for name in _journaled(one))
        for entity in sorted(entities, key=lambda one: isinstance(one, SubscriptionSpec)):
            self._make(entity)
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
        self.check(queue, messages)
        queue.accessed_at = now = self.clock()
        numbers = [queue.send(message, now) for message, _ in messages]
        self.changed(queue)
        return numbers

    def check(self, queue: Queue, messages: Sequence[tuple[Message, int]]) -> None:
        """Raise AmqpError where a queue does not take messages, all of them together."""
        self.availability.require(queue, "send")
        for message, size in messages:
            queue.check(message, size)
        if len(messages) > 1 and not queue.has_room(sum(size for _, size in messages)):
            raise queue.full()

    # Entities that come, change and go while the namespace is in use

    def entities(self) -> list[Queue]:
        """Return all queues, topics and subscriptions, a topic before its subscriptions."""
        return list(self._queues.values())

    def add(self, spec: QueueSpec) -> Queue:
        """Make a queue, topic or subscription.

        Raises ValueError where it forwards to nothing, or a rule is malformed.
        """
        check_targets(spec, [*(one.spec for one in self._queues.values()), spec])
        if self._journal is not None:
            self._journal.add_queues(_journaled(spec))
        queue = self._make(spec)
        self._on_change()
        return queue

    def change(self, queue: Queue, spec: QueueSpec) -> None:
        """Give an entity other properties. Raises ValueError as `add` does."""
        check_targets(spec, [one.spec for one in self._queues.values()])
        queue.configure(spec)
        self._on_change()
        self.changed(queue)

    def remove(self, queue: Queue) -> None:
        """Remove an entity with all that it holds; a topic with its subscriptions."""
        for subscription in list(queue.subscriptions.values()) if isinstance(queue, Topic) else []:
            self.remove(subscription)
        if isinstance(queue, Subscription):
            del queue.topic.subscriptions[queue.name.lower()]
        del self._queues[queue.name.lower()]
        queue.clear()
        for one in queue.parts():
            one.is_deleted = True
            self._consumers.pop(one, None)
            self._blocked_forwards.discard(one)
        if self._journal is not None:
            self._journal.remove_queues(_journaled(queue.spec))
        self._on_change()

    def _make(self, spec: QueueSpec) -> Queue:
        queue: Queue
        if isinstance(spec, TopicSpec):
            queue = Topic(spec, self._recorder)
        elif isinstance(spec, SubscriptionSpec):
            topic = self._queues.get(spec.topic.lower())
            if topic is None or not isinstance(topic, Topic):
                raise ValueError(f"subscription {spec.name}: there is no topic {spec.topic}")
            queue = Subscription(spec, topic, self._recorder)
            topic.subscriptions[spec.name.lower()] = queue
        else:
            queue = Queue(spec, self._recorder)
        self._queues[spec.name.lower()] = queue
        return queue

    # Delivering

    def add_consumer(self, queue: Queue, consumer: Consumer) -> None:
        """Deliver messages to a consumer for as long as it is ready."""
        consumers = self._consumers.setdefault(queue, deque())
        if consumer not in consumers:
            consumers.append(consumer)
        queue.accessed_at = self.clock()
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
            if one is not queue and not len(one.store):
                continue  # there is nothing to forward, to deliver or to wait for
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
        """Move what waits in a queue to the one it forwards to, and in a topic to subscriptions.

        What cannot be forwarded goes to the transfer dead-letter queue. Dead letters that the
        other queue has no room for, or does not take now, wait instead: they are dead letters.
        """
        if isinstance(queue, Topic):
            for subscription in queue.publish(self.clock()):
                self.changed(subscription)
        elif queue.forward_to is not None:
            self._forward_to(queue, self._queues.get(queue.forward_to.lower()))

    def _forward_to(self, queue: Queue, target: Queue | None) -> None:
        now = self.clock()
        self._blocked_forwards.discard(queue)
        moved = False
        while (entry := queue.first(now)) is not None:
            if target is not None and (why := not_forwardable(entry, target)):
                queue.fail_transfer(entry, *why)
                continue
            if refusal := self._refusal(target, entry):
                if queue.is_dead_letter:
                    self._blocked_forwards.add(queue)
                    break
                queue.fail_transfer(entry, refusal.condition, refusal.description)
                continue
            assert target is not None  # noqa: S101 - it would have been a reason to refuse
            # Put before it is removed: a crash between the two may double it but not lose it.
            target.send(
                entry.message.forwarded(),
                now,
                origin=entry.enqueued_sequence_number or entry.sequence_number,
                source=queue.spec.name if queue.is_dead_letter else entry.dead_letter_source,
            )
            queue.take(now)
            moved = True
        if moved and target is not None:
            self.changed(target)

    def _refusal(self, target: Queue | None, entry: QueueEntry) -> AmqpError | None:
        """Return why a queue does not take a message from another now; None if it does."""
        if target is None:
            return EntityDeletedError("that it is forwarded to")
        if not target.has_room(entry.message.size):
            return target.full()
        return self.availability.refusal(target, "forward")


def _journaled(spec: QueueSpec) -> list[str]:
    return [spec.name + part for part in ("", DEAD_LETTER_SUFFIX, TRANSFER_SUFFIX)]
