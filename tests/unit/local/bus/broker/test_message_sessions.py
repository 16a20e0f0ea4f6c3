"""Message sessions: locked as a whole, in order, with a state."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

import pytest

from local.bus.amqp.encoding import encode, encode_section
from local.bus.amqp.errors import (
    AmqpError,
    SessionCannotBeLockedError,
    SessionIdMissingError,
    SessionLockLostError,
)
from local.bus.amqp.message import Message, parse
from local.bus.amqp.values import Described, Symbol, ULong, Value
from local.bus.broker.address import Address
from local.bus.broker.entry import QueueEntry
from local.bus.broker.message_sessions import MessageSessionLock, MessageSessions
from local.bus.broker.namespace import Namespace
from local.bus.broker.queue import Queue
from local.deployment.resources import NamespaceSpec, QueueSpec

SPEC = QueueSpec(
    "/q", "q", requires_session=True, lock_duration=timedelta(seconds=10), max_delivery_count=3
)


def message(name: str, session_id: str | None, *, partition: str | None = None) -> Message:
    properties: list[Value] = [name, *[None] * 9, session_id]
    annotations: dict[Value, Value] = {Symbol("x-opt-partition-key"): partition}
    return parse(
        encode_section(0x72, annotations if partition else {})
        + encode_section(0x73, properties)
        + encode(Described(ULong(0x75), b"body"))
    )


@pytest.fixture
def queue() -> Queue:
    made = Queue(SPEC)
    for session_id, name in ("b1", "a1", "b2", "a2"):
        made.send(message(session_id + name, session_id), 0)
    return made


def sessions(queue: Queue) -> MessageSessions:
    assert queue.sessions is not None
    return queue.sessions


def take(queue: Queue, lock: MessageSessionLock, now: float = 0) -> list[str]:
    found = []
    while (entry := queue.receive(now, lock)) is not None:
        found.append(entry.message.message_id)
    return found


def token(entry: QueueEntry | None) -> object:
    assert entry is not None
    assert entry.lock is not None
    return entry.lock.token


def test_a_session_has_its_messages_alone_and_in_order(queue: Queue) -> None:
    lock = sessions(queue).accept("a", 0)
    assert take(queue, lock) == ["a1", "a2"]
    assert queue.counts(0).active == 2
    assert queue.first(0) is None  # without a session nothing is received


def test_the_next_session_is_that_of_the_oldest_message_that_is_free(queue: Queue) -> None:
    assert sessions(queue).next_available() == "b"
    sessions(queue).accept("b", 0)
    assert sessions(queue).next_available() == "a"
    take(queue, sessions(queue).accept("a", 0))
    assert sessions(queue).next_available() is None


def test_a_session_has_one_receiver_and_need_not_have_messages(queue: Queue) -> None:
    lock = sessions(queue).accept("empty", 0)
    with pytest.raises(SessionCannotBeLockedError):
        sessions(queue).accept("empty", 0)
    sessions(queue).release(lock)
    assert sessions(queue).accept("empty", 0) is not lock


def test_what_was_not_settled_comes_again_uncounted_after_a_release(queue: Queue) -> None:
    lock = sessions(queue).accept("a", 0)
    take(queue, lock)
    sessions(queue).release(lock)
    entry = queue.receive(1, sessions(queue).accept("a", 1))
    assert entry is not None
    assert (entry.message.message_id, entry.delivery_count) == ("a1", 0)


def test_a_lock_that_expires_is_lost_and_its_deliveries_count(queue: Queue) -> None:
    lock = sessions(queue).accept("a", 0)
    held = queue.receive(0, lock)
    assert queue.next_event() == 10
    queue.advance(10)
    assert sessions(queue).take_lost() == [lock]
    assert sessions(queue).take_lost() == []
    for lost in (
        lambda: queue.complete(token(held), 10),  # type: ignore[arg-type]
        lambda: sessions(queue).renew(lock, 10),
        lambda: sessions(queue).set_state(lock, b"", 10),
    ):
        with pytest.raises(SessionLockLostError):
            lost()
    entry = queue.receive(10, sessions(queue).accept("a", 10))
    assert entry is not None
    assert entry.delivery_count == 1


def test_renewing_a_session_renews_its_messages(queue: Queue) -> None:
    lock = sessions(queue).accept("a", 0)
    held = queue.receive(0, lock)
    assert sessions(queue).renew(lock, 8) == 18
    queue.complete(token(held), 17)  # type: ignore[arg-type]
    queue.advance(17)
    assert sessions(queue).has(lock)


def test_an_abandoned_message_comes_again_in_its_place(queue: Queue) -> None:
    lock = sessions(queue).accept("a", 0)
    queue.abandon(token(queue.receive(0, lock)), 0)  # type: ignore[arg-type]
    assert take(queue, lock) == ["a1", "a2"]


def test_a_deferred_message_is_received_by_its_sessions_receiver_only(queue: Queue) -> None:
    lock, other = sessions(queue).accept("a", 0), sessions(queue).accept("b", 0)
    held = queue.receive(0, lock)
    assert held is not None
    queue.defer(token(held), 0)  # type: ignore[arg-type]
    with pytest.raises(AmqpError):
        queue.receive_deferred([held.sequence_number], 0, session=other)
    (again,) = queue.receive_deferred([held.sequence_number], 0, session=lock)
    assert again.lock is not None
    assert again.lock.until == lock.until


def test_a_state_stays_and_counts_among_the_bytes_of_the_queue(queue: Queue) -> None:
    before = queue.size_in_bytes
    lock = sessions(queue).accept("a", 0)
    sessions(queue).set_state(lock, b"half way", 5)
    assert sessions(queue).state("a") == b"half way"
    assert queue.size_in_bytes == before + 8
    assert sessions(queue).updated_since(4) == ["a"]
    assert sessions(queue).updated_since(5) == []
    sessions(queue).set_state(lock, None, 6)
    assert (sessions(queue).state("a"), queue.size_in_bytes) == (None, before)
    assert sessions(queue).with_messages() == ["a", "b"]


def test_a_lock_is_its_owners(queue: Queue) -> None:
    me, you = object(), object()
    lock = sessions(queue).accept("a", 0, me)
    assert sessions(queue).held_by("a", me) is lock
    for session_id, owner in (("a", you), ("b", me)):
        with pytest.raises(SessionLockLostError):
            sessions(queue).held_by(session_id, owner)


def test_a_session_that_lasts_does_not_grow() -> None:
    queue = Queue(SPEC)
    lock = sessions(queue).accept("a", 0)
    for number in range(2000):
        queue.send(message(str(number), "a"), 0)
        queue.complete(token(queue.receive(0, lock)), 0)  # type: ignore[arg-type]
    assert len(lock.tokens) < 100


def test_a_message_needs_a_session_id_and_no_other_partition(queue: Queue) -> None:
    with pytest.raises(SessionIdMissingError):
        queue.check(message("m", None), 1)
    with pytest.raises(AmqpError, match="partition key"):
        queue.check(message("m", "a", partition="b"), 1)
    queue.check(message("m", "", partition=""), 1)
    with pytest.raises(AmqpError, match="128"):
        queue.check(message("m", "s" * 129), 1)


def test_dead_letters_have_no_sessions(queue: Queue) -> None:
    lock = sessions(queue).accept("a", 0)
    queue.dead_letter(token(queue.receive(0, lock)), 0, "Bad", None)  # type: ignore[arg-type]
    assert queue.dead_letters is not None
    assert queue.dead_letters.sessions is None
    assert queue.dead_letters.receive(0) is not None


def test_peek_may_be_of_one_session(queue: Queue) -> None:
    found = [one.message.message_id for one in queue.peek(0, 9, 0, "b")]
    assert found == ["b1", "b2"]


@dataclass(eq=False)
class Waiter:
    deadline: float
    owner: object = None
    lock: MessageSessionLock | None = None
    is_over: bool = False

    def accept(self, lock: MessageSessionLock) -> None:
        self.lock = lock

    def timed_out(self) -> None:
        self.is_over = True


def test_who_waits_gets_the_next_free_session_or_hears_that_there_is_none() -> None:
    now = 0.0
    spec = NamespaceSpec("/n", "n", "n", "Standard", local_auth=False, queues=(SPEC,))
    namespace = Namespace(spec, lambda: now)
    queue = namespace.find(Address("q"))
    assert queue is not None
    first, second, left = Waiter(5), Waiter(9), Waiter(3)
    for waiter in (left, first, second):
        namespace.wait_for_session(queue, waiter)
    namespace.stop_waiting(queue, left)
    assert namespace.next_event() == 5
    namespace.send(queue, [(message("m", "a"), 1)])
    assert first.lock is not None
    assert (first.lock.session_id, second.lock) == ("a", None)
    now = 9.0
    namespace.advance()
    assert (first.is_over, second.is_over, left.is_over) == (False, True, False)
