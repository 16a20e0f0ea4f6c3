"""What a queue does with messages, with a clock that is a number."""

from __future__ import annotations

import math
from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from local.bus.amqp.encoding import encode
from local.bus.amqp.errors import (
    OUT_OF_RANGE,
    RESOURCE_LIMIT,
    SIZE_EXCEEDED,
    AmqpError,
    LockLostError,
    MessageNotFoundError,
)
from local.bus.amqp.message import Message, application_properties, parse
from local.bus.amqp.values import Described, Symbol, Timestamp, UInt, ULong, Value
from local.bus.broker.admission import MAX_PROPERTIES
from local.bus.broker.entry import EntryState, QueueEntry
from local.bus.broker.queue import Queue
from local.deployment.resources import QueueSpec

MakeQueue = Callable[..., Queue]


def section(code: int, content: Value) -> bytes:
    return encode(Described(ULong(code), content))


def message(
    name: str, *, at: float | None = None, ttl: float | None = None, body: bytes = b""
) -> Message:
    annotations: dict[Value, Value] = {}
    if at is not None:
        annotations[Symbol("x-opt-scheduled-enqueue-time")] = Timestamp(int(at * 1000))
    return parse(
        section(0x70, [None, None, None if ttl is None else UInt(int(ttl * 1000))])
        + section(0x72, annotations)
        + section(0x73, [name])
        + section(0x75, body)
    )


def queue(**properties: Any) -> Queue:
    return Queue(QueueSpec("/queues/q", "q", **properties))


def receive(queue: Queue, now: float = 0) -> tuple[str, UUID]:
    entry = queue.receive(now)
    assert entry is not None
    assert entry.lock is not None
    return entry.message.message_id, entry.lock.token


def dead(queue: Queue) -> list[QueueEntry]:
    assert queue.dead_letters is not None
    return queue.dead_letters.peek(0, 99, 0)


def reasons(entry: QueueEntry) -> dict[Value, Value]:
    return application_properties(entry.message)


def test_messages_come_in_order_each_to_one_receiver() -> None:
    q = queue()
    assert [q.send(message(name), 0) for name in "abc"] == [1, 2, 3]
    assert [receive(q)[0] for _ in "abc"] == ["a", "b", "c"]
    assert q.receive(0) is None
    assert q.counts(0).locked == 3


def test_complete_removes() -> None:
    q = queue()
    q.send(message("a"), 0)
    _, token = receive(q)
    q.complete(token, 1)
    assert len(q.store) == q.store.total_bytes == 0
    with pytest.raises(LockLostError):
        q.complete(token, 1)


def test_abandon_puts_back_in_place_and_counts() -> None:
    q = queue()
    for name in "ab":
        q.send(message(name), 0)
    _, token = receive(q)
    q.abandon(token, 0, {"why": "not now"})
    entry = q.receive(0)
    assert entry is not None
    assert (entry.message.message_id, entry.delivery_count) == ("a", 1)
    assert reasons(entry) == {"why": "not now"}


def test_release_puts_back_without_counting() -> None:
    q = queue(max_delivery_count=1)
    q.send(message("a"), 0)
    for _ in range(3):
        q.release(receive(q)[1], 0)
    entry = q.receive(0)
    assert entry is not None
    assert entry.delivery_count == 0


def test_a_lock_ends() -> None:
    q = queue(lock_duration=timedelta(seconds=30))
    q.send(message("a"), 0)
    _, token = receive(q, 0)
    assert q.next_event() == 30
    assert q.receive(29.9) is None
    entry = q.receive(30)
    assert entry is not None
    assert entry.delivery_count == 1
    with pytest.raises(LockLostError):
        q.complete(token, 30)


def test_a_lock_is_lost_at_its_end_even_when_nobody_came_by() -> None:
    q = queue(lock_duration=timedelta(seconds=30))
    q.send(message("a"), 0)
    _, token = receive(q, 0)
    with pytest.raises(LockLostError):
        q.renew(token, 30)


def test_renewal_starts_the_time_again() -> None:
    q = queue(lock_duration=timedelta(seconds=30))
    q.send(message("a"), 0)
    _, token = receive(q, 0)
    assert q.renew(token, 20) == 50
    q.complete(token, 49)


@pytest.mark.parametrize("how", ["abandon", "expire"])
def test_the_last_attempt_dead_letters(how: str) -> None:
    q = queue(max_delivery_count=2, lock_duration=timedelta(seconds=1))
    q.send(message("a"), 0)
    for now in (0, 10):
        _, token = receive(q, now)
        if how == "abandon":
            q.abandon(token, now)
    assert q.receive(20) is None
    (entry,) = dead(q)
    assert entry.delivery_count == 2
    assert reasons(entry)["DeadLetterReason"] == "MaxDeliveryCountExceeded"
    assert q.counts(20).dead_lettered == 1


def test_dead_lettering_keeps_reason_number_and_properties() -> None:
    q = queue()
    q.send(message("a", ttl=5), 0)
    _, token = receive(q)
    q.dead_letter(token, 0, "Bad", "could not be read", {"by": "me"})
    (entry,) = dead(q)
    assert entry.sequence_number == 1
    assert reasons(entry) == {
        "by": "me",
        "DeadLetterReason": "Bad",
        "DeadLetterErrorDescription": "could not be read",
    }
    assert entry.expires_at is None


def test_a_dead_letter_stays_whatever_is_done_to_it_but_complete() -> None:
    q = queue(max_delivery_count=1, lock_duration=timedelta(seconds=1))
    q.send(message("a"), 0)
    q.abandon(receive(q)[1], 0)
    grave = q.dead_letters
    assert grave is not None
    grave.abandon(receive(grave)[1], 0)
    grave.dead_letter(receive(grave)[1], 0, "Again", None)
    receive(grave)
    grave.complete(receive(grave, 1)[1], 1)
    assert len(grave.store) == 0


def test_deferred_messages_come_by_number_only() -> None:
    q = queue(lock_duration=timedelta(seconds=30))
    q.send(message("a"), 0)
    q.defer(receive(q)[1], 0)
    assert q.receive(0) is None
    assert q.counts(0).deferred == 1
    (entry,) = q.receive_deferred([1], 0)
    assert entry.state is EntryState.DEFERRED
    with pytest.raises(MessageNotFoundError):
        q.receive_deferred([1], 1)
    (entry,) = q.receive_deferred([1], 30)  # the lock ended: it is deferred again
    assert entry.lock is not None
    q.complete(entry.lock.token, 30)
    assert q.counts(30).deferred == 0


def test_deferred_messages_come_all_or_none() -> None:
    q = queue()
    for name in "ab":
        q.send(message(name), 0)
        q.defer(receive(q)[1], 0)
    with pytest.raises(MessageNotFoundError):
        q.receive_deferred([1, 3], 0)
    assert len(q.receive_deferred([1, 2], 0, delete=True)) == 2
    assert len(q.store) == 0


def test_scheduled_messages_wait_for_their_time() -> None:
    q = queue()
    q.send(message("late", at=100, ttl=10), 0)
    q.send(message("now", at=-5), 0)
    q.complete(receive(q)[1], 0)
    assert q.receive(99) is None
    assert q.counts(99).scheduled == 1
    entry = q.receive(100)
    assert entry is not None
    assert (entry.sequence_number, entry.enqueued_at, entry.expires_at) == (3, 100, 110)


def test_cancel_takes_a_scheduled_message_back() -> None:
    q = queue()
    number = q.send(message("a", at=100), 0)
    q.cancel([number], 50)
    assert q.receive(100) is None
    for unknown in (number, q.send(message("b"), 0)):
        with pytest.raises(MessageNotFoundError):
            q.cancel([unknown], 50)


def test_duplicates_are_taken_and_dropped_within_the_window() -> None:
    q = queue(duplicate_window=timedelta(seconds=60))
    for now in (0, 59):
        q.send(message("a"), now)
    q.complete(receive(q, 59)[1], 59)
    assert q.receive(59) is None
    q.send(message("a"), 60)
    assert receive(q, 60)[0] == "a"


def test_a_scheduled_message_counts_as_seen() -> None:
    q = queue(duplicate_window=timedelta(seconds=60))
    q.send(message("a", at=30), 0)
    q.send(message("a"), 1)
    assert q.receive(1) is None


@pytest.mark.parametrize(("own", "default"), [(5, None), (None, 5), (5, 9), (9, 5)])
def test_the_shorter_time_to_live_counts(own: float | None, default: float | None) -> None:
    q = queue(time_to_live=None if default is None else timedelta(seconds=default))
    q.send(message("a", ttl=own), 0)
    q.send(message("b", ttl=own), 1)
    assert q.next_event() == 5
    assert receive(q, 5)[0] == "b"
    assert len(q.store) == 1
    assert dead(q) == []


def test_expired_messages_are_dead_lettered_where_asked() -> None:
    q = queue(dead_letter_on_expiration=True)
    q.send(message("a", ttl=5), 0)
    q.defer(receive(q)[1], 0)
    q.advance(5)
    (entry,) = dead(q)
    assert reasons(entry)["DeadLetterReason"] == "TTLExpiredException"
    assert q.next_event() == math.inf


def test_a_locked_message_does_not_expire_before_its_lock() -> None:
    q = queue(lock_duration=timedelta(seconds=30))
    q.send(message("a", ttl=5), 0)
    q.complete(receive(q)[1], 20)
    q.send(message("b", ttl=5), 20)
    _, token = receive(q, 20)
    q.abandon(token, 30)
    assert len(q.store) == 0


def test_peek_sees_every_state_in_order_and_locks_nothing() -> None:
    q = queue()
    for name in "abcd":
        q.send(message(name), 0)
    q.send(message("e", at=9), 0)
    receive(q)
    q.defer(receive(q)[1], 0)
    peeked = q.peek(0, 99, 0)
    assert [entry.message.message_id for entry in peeked] == list("abcde")
    assert [entry.state for entry in peeked] == [0, 1, 0, 0, 2]
    assert [entry.sequence_number for entry in q.peek(3, 2, 0)] == [3, 4]
    assert receive(q)[0] == "c"


def test_take_removes_at_once() -> None:
    q = queue()
    q.send(message("a"), 0)
    entry = q.take(0)
    assert entry is not None
    assert entry.lock is None
    assert q.take(0) is None


@pytest.mark.parametrize(
    ("one", "size", "condition"),
    [
        (message("a"), 101, SIZE_EXCEEDED),
        (message("a" * 129), 9, OUT_OF_RANGE),
        (message("a"), 90, RESOURCE_LIMIT),
    ],
)
def test_what_a_queue_does_not_take(one: Message, size: int, condition: str) -> None:
    q = queue(max_message_bytes=100, max_size_bytes=150)
    q.send(message("first", body=b"x" * 60), 0)
    with pytest.raises(AmqpError) as caught:
        q.check(one, size)
    assert caught.value.condition == condition


def test_properties_are_bounded_and_count_against_the_size() -> None:
    def annotated(size: int) -> Message:
        return parse(section(0x72, {Symbol("x-note"): "x" * size}) + section(0x75, b""))

    q = queue(max_size_bytes=2 * MAX_PROPERTIES)
    with pytest.raises(AmqpError) as caught:
        q.check(annotated(MAX_PROPERTIES), MAX_PROPERTIES)
    assert caught.value.condition == SIZE_EXCEEDED
    q.send(annotated(MAX_PROPERTIES - 200), 0)
    assert q.store.total_bytes > MAX_PROPERTIES - 200


def test_empty_messages_are_bounded_by_their_number(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("local.bus.broker.entity.MAX_MESSAGES", 2)
    q = queue()
    q.send(message("a"), 0)
    assert q.has_room(0)
    q.send(message("b"), 0)
    assert not q.has_room(0)


def test_dead_letters_count_against_the_size() -> None:
    q = queue(max_size_bytes=150)
    q.send(message("a", body=b"x" * 60), 0)
    q.dead_letter(receive(q)[1], 0, None, None)
    assert q.has_room(60)
    assert not q.has_room(90)


def test_unknown_locks_are_lost_locks() -> None:
    q = queue()
    for settle in (q.complete, q.abandon, q.release, q.defer, q.renew):
        with pytest.raises(LockLostError):
            settle(uuid4(), 0)
    with pytest.raises(LockLostError):
        q.dead_letter(uuid4(), 0, None, None)


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["send", "later", "receive", "settle", "wait", "deferred"]),
            st.integers(0, 4),
        ),
        max_size=60,
    )
)
def test_no_message_is_lost_or_doubled_whatever_is_done(steps: list[tuple[str, int]]) -> None:
    q = queue(max_delivery_count=2, lock_duration=timedelta(seconds=2))
    grave = q.dead_letters
    assert grave is not None
    sent, done, now = 0, 0, 0.0
    held: list[UUID] = []
    for step, choice in steps:
        if step in ("send", "later"):
            sent += 1
            q.send(message(str(sent), at=now + choice if step == "later" else None), now)
        elif step == "receive" and (entry := q.receive(now)) is not None and entry.lock:
            held.append(entry.lock.token)
        elif step == "deferred":
            for number in list(q.store.deferred):
                held += [e.lock.token for e in q.receive_deferred([number], now) if e.lock]
        elif step == "settle" and held:
            token = held.pop()
            settle = (
                q.complete,
                q.abandon,
                q.release,
                q.defer,
                lambda t, n: q.dead_letter(t, n, "r", None),
            )[choice]
            try:
                settle(token, now)
            except LockLostError:
                continue
            done += choice == 0
        elif step == "wait":
            now += choice
    counts = q.counts(now)
    numbers = [e.sequence_number for e in (*q.store, *grave.store)]
    assert len(numbers) == len(set(numbers)) == sent - done
    assert counts.active + counts.scheduled + counts.locked + counts.deferred == len(q.store)
