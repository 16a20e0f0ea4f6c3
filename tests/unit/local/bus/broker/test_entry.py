"""What becomes of an entry, as values."""

from __future__ import annotations

from uuid import UUID

from local.bus.amqp.encoding import encode
from local.bus.amqp.message import application_properties, parse
from local.bus.amqp.values import Described, ULong
from local.bus.broker.entry import EntryState, MessageLock, QueueEntry

MESSAGE = parse(encode(Described(ULong(0x75), b"body")))
TOKEN = UUID(int=7)
ENTRY = QueueEntry(3, MESSAGE, 100.0, delivery_count=2, time_to_live=10.0)
LOCKED = ENTRY.locked(TOKEN, 130.0)


def test_a_lock_has_a_token_and_an_end() -> None:
    assert LOCKED.lock == MessageLock(TOKEN, 130.0)
    assert ENTRY.lock is None


def test_a_release_does_not_count_and_a_failure_does() -> None:
    assert LOCKED.released() == ENTRY
    assert LOCKED.failed().lock is None
    assert LOCKED.failed().delivery_count == 3


def test_a_deferred_one_is_unlocked_and_counted() -> None:
    deferred = LOCKED.deferred()
    assert (deferred.state, deferred.lock) == (EntryState.DEFERRED, None)
    assert deferred.delivery_count == 3


def test_a_scheduled_one_is_enqueued_under_a_new_number() -> None:
    scheduled = QueueEntry(3, MESSAGE, 100.0, EntryState.SCHEDULED)
    assert scheduled.enqueued(9) == QueueEntry(9, MESSAGE, 100.0)


def test_a_dead_letter_has_its_reason_and_never_expires() -> None:
    dead = LOCKED.dead_lettered("why", None)
    assert application_properties(dead.message) == {"DeadLetterReason": "why"}
    assert (dead.sequence_number, dead.state, dead.lock) == (3, EntryState.ACTIVE, None)
    assert (ENTRY.expires_at, dead.expires_at) == (110.0, None)


def test_without_changes_the_message_stays_the_same_object() -> None:
    """The journal writes a body again only if the message is another object."""
    assert ENTRY.with_properties({}).message is MESSAGE
    assert ENTRY.with_properties(None).message is MESSAGE
    assert ENTRY.dead_lettered(None, None).message is MESSAGE
