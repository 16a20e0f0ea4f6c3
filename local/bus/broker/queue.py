"""A queue of Service Bus, pure: no clock, no socket; every operation takes the time of it.

Times are seconds since 1970. Source: Microsoft Learn, "Message transfers, locks, and settlement",
"Message expiration", "Dead-letter queues", "Duplicate detection", "Message sequencing",
"Message deferral".
"""

from __future__ import annotations

import heapq
import math
from collections.abc import Callable, Mapping, Sequence
from uuid import UUID, uuid4

from local.bus.amqp.errors import LockLostError, MessageNotFoundError, SessionLockLostError
from local.bus.amqp.message import Message
from local.bus.amqp.values import Value
from local.bus.broker.entity import DEAD_LETTER_SUFFIX, TRANSFER_SUFFIX, Counts, Entity
from local.bus.broker.entry import EntryState, QueueEntry
from local.bus.broker.message_sessions import MessageSessionLock, MessageSessions
from local.bus.broker.store import NullRecorder, Store, StoreRecorder
from local.deployment.resources import QueueSpec


class Queue(Entity):
    """A queue, or one of its dead-letter queues, and the operations on its messages.

    `recorder` returns, by a queue's name, what records the changes of its store. `transfer` is
    given to a dead-letter queue: where what it cannot forward goes.
    """

    def __init__(
        self,
        spec: QueueSpec,
        recorder: Callable[[str], StoreRecorder] = lambda _: NullRecorder(),
        *,
        is_dead_letter: bool = False,
        is_transfer: bool = False,
        transfer: Queue | None = None,
    ) -> None:
        if is_transfer:
            name, forward_to = spec.name + TRANSFER_SUFFIX, None
        elif is_dead_letter:
            name, forward_to = spec.name + DEAD_LETTER_SUFFIX, spec.forward_dead_letters_to
        else:
            name, forward_to = spec.name, spec.forward_to
        self.is_dead_letter = is_dead_letter or is_transfer
        has_sessions = spec.requires_session and not self.is_dead_letter
        store = Store(recorder(name), by_session=has_sessions)
        super().__init__(spec, name, forward_to, store)
        self.sessions = MessageSessions(store, spec.lock_duration) if has_sessions else None
        self.dead_letters: Queue | None = None
        self.transfer_dead_letters: Queue | None = transfer
        if not self.is_dead_letter:
            transfer = Queue(spec, recorder, is_transfer=True)
            self.transfer_dead_letters = transfer
            self.dead_letters = Queue(spec, recorder, is_dead_letter=True, transfer=transfer)

    def parts(self) -> Sequence[Queue]:
        """Return the queue, and its dead-letter queues if it has its own."""
        if self.dead_letters is None or self.transfer_dead_letters is None:
            return (self,)
        return (self, self.dead_letters, self.transfer_dead_letters)

    # Sending

    def send(
        self,
        message: Message,
        now: float,
        *,
        origin: int | None = None,
        source: str | None = None,
    ) -> int:
        """Accept a message, now or for its scheduled time; return its sequence number.

        A duplicate is accepted as well and dropped, so its number names no message, as in Azure.
        """
        self.advance(now)
        number = self.store.next_number()
        if self._is_duplicate(message, now):
            return number
        scheduled = message.scheduled_time
        later = scheduled is not None and scheduled > now
        self.store.put(
            QueueEntry(
                number,
                message,
                enqueued_at=scheduled if scheduled is not None and later else now,
                state=EntryState.SCHEDULED if later else EntryState.ACTIVE,
                time_to_live=_shorter(message.time_to_live, self.default_time_to_live()),
                enqueued_sequence_number=origin,
                dead_letter_source=source,
            )
        )
        return number

    def cancel(self, numbers: Sequence[int], now: float) -> None:
        """Cancel scheduled messages; none of them if one is not there."""
        self.advance(now)
        found = [self.store.get(number) for number in dict.fromkeys(numbers)]
        for entry in found:
            if entry is None or entry.state is not EntryState.SCHEDULED:
                raise MessageNotFoundError
        for number in dict.fromkeys(numbers):
            self.store.remove(number)

    # Receiving

    def first(self, now: float, session: MessageSessionLock | None = None) -> QueueEntry | None:
        """Return the first message that waits, and leave it there."""
        self.advance(now)
        if self.sessions is not None:
            has_lock = session is not None and self.sessions.has(session)
            return self.sessions.first(session.session_id) if session and has_lock else None
        first = self.store.ready.first()
        return None if first is None else self._entry(first[1])

    def receive(self, now: float, session: MessageSessionLock | None = None) -> QueueEntry | None:
        """Lock the first message that waits, of a session where that is given."""
        entry = self.first(now, session)
        return None if entry is None else self._lock(entry, now, session)

    def take(self, now: float, session: MessageSessionLock | None = None) -> QueueEntry | None:
        """Remove and return the first message that waits: receive-and-delete, and forwarding."""
        entry = self.first(now, session)
        if entry is not None:
            self.store.remove(entry.sequence_number)
        return entry

    def receive_deferred(
        self,
        numbers: Sequence[int],
        now: float,
        *,
        delete: bool = False,
        session: MessageSessionLock | None = None,
    ) -> list[QueueEntry]:
        """Lock deferred messages, or remove them; none of them if one does not exist."""
        self.advance(now)
        entries = [self.store.get(number) for number in dict.fromkeys(numbers)]
        found = [
            entry
            for entry in entries
            if entry is not None and entry.state is EntryState.DEFERRED and entry.lock is None
            if session is None or entry.message.session_id == session.session_id
        ]
        if not found or len(found) != len(entries):
            raise MessageNotFoundError
        if not delete:
            return [self._lock(entry, now, session) for entry in found]
        for entry in found:
            self.store.remove(entry.sequence_number)
        return found

    def peek(
        self, from_number: int, count: int, now: float, session_id: str | None = None
    ) -> list[QueueEntry]:
        """Return up to `count` messages of any state from a sequence number on, without locking.

        With a session id, those of that session alone.
        """
        self.advance(now)
        return heapq.nsmallest(
            count,
            (
                entry
                for entry in self.store
                if entry.sequence_number >= from_number
                and (session_id is None or entry.message.session_id == session_id)
            ),
            key=lambda entry: entry.sequence_number,
        )

    # Settling

    def require_lock(self, token: UUID, now: float) -> None:
        """Raise AmqpError unless a message is locked with that token."""
        self._held(token, now)

    def renew(self, token: UUID, now: float) -> float:
        """Start a lock's time again; return its new end."""
        entry = self._held(token, now)
        until = now + self.spec.lock_duration.total_seconds()
        self.store.put(entry.locked(token, until))
        return until

    def complete(self, token: UUID, now: float) -> None:
        """Remove a message: it is done."""
        self.store.remove(self._held(token, now).sequence_number)

    def release(self, token: UUID, now: float) -> None:
        """Unlock a message that the receiver did not look at: this delivery does not count."""
        self.store.put(self._held(token, now).released())
        self.advance(now)

    def abandon(self, token: UUID, now: float, changes: Mapping[str, Value] | None = None) -> None:
        """Unlock a message whose handling failed; after the last attempt it is dead-lettered."""
        self._fail(self._held(token, now).with_properties(changes))
        self.advance(now)

    def defer(self, token: UUID, now: float, changes: Mapping[str, Value] | None = None) -> None:
        """Set a message aside, to be received by its sequence number only."""
        self.store.put(self._held(token, now).with_properties(changes).deferred())

    def dead_letter(
        self,
        token: UUID,
        now: float,
        reason: str | None,
        description: str | None,
        changes: Mapping[str, Value] | None = None,
    ) -> None:
        """Move a message to the dead-letter queue; the reason becomes application properties."""
        entry = self._held(token, now).with_properties(changes)
        self.move_to_dead_letters(entry, reason, description)

    # Time

    def advance(self, now: float) -> None:
        """Do what is due by now: locks expire, scheduled messages are enqueued, messages expire."""
        store = self.store
        if self.sessions is not None:
            self.sessions.expire(now)
        while (key := store.lock_ends.due(now)) is not None:
            self._fail(self._entry(key))
        while (key := store.schedule.due(now)) is not None:
            self._enqueue(self._entry(key))
        while (key := store.expiries.due(now)) is not None:
            self._expire(self._entry(key))

    def next_event(self) -> float:
        """Return when `advance` will next have something to do; infinity for never."""
        store = self.store
        firsts = (store.lock_ends.first(), store.schedule.first(), store.expiries.first())
        at = min((first[0] for first in firsts if first is not None), default=math.inf)
        return at if self.sessions is None else min(at, self.sessions.next_event())

    def counts(self, now: float) -> Counts:
        """Count the messages by state."""
        self.advance(now)
        return self.count_by_state()

    def _is_duplicate(self, message: Message, now: float) -> bool:
        window = self.spec.duplicate_window
        if window is None:
            return False
        if self.store.is_duplicate(message.message_id, now):
            return True
        self.store.record_message_id(message.message_id, now + window.total_seconds())
        return False

    def _entry(self, sequence_number: int) -> QueueEntry:
        entry = self.store.get(sequence_number)
        if entry is None:
            raise MessageNotFoundError
        return entry

    def _held(self, token: UUID, now: float) -> QueueEntry:
        self.advance(now)
        entry = self.store.holding(token)
        if entry is None:
            raise LockLostError if self.sessions is None else SessionLockLostError
        return entry

    def _lock(
        self, entry: QueueEntry, now: float, session: MessageSessionLock | None
    ) -> QueueEntry:
        if self.sessions is not None and session is not None:
            return self.sessions.lock_message(session, entry)
        until = now + self.spec.lock_duration.total_seconds()
        locked = entry.locked(uuid4(), until)
        self.store.put(locked)
        return locked

    def _fail(self, entry: QueueEntry) -> None:
        """Count a failed delivery, and unlock; after the last one the message is dead-lettered."""
        counted = entry.failed()
        if self.is_dead_letter or counted.delivery_count < self.spec.max_delivery_count:
            self.store.put(counted)
            return
        attempts = counted.delivery_count
        self.move_to_dead_letters(
            counted,
            "MaxDeliveryCountExceeded",
            f"Message could not be consumed after {attempts} delivery attempts.",
        )

    def _enqueue(self, entry: QueueEntry) -> None:
        """Enqueue a scheduled message that is due."""
        self.store.remove(entry.sequence_number)
        self.store.put(entry.enqueued(self.store.next_number()))

    def _expire(self, entry: QueueEntry) -> None:
        if self.spec.dead_letter_on_expiration:
            self.move_to_dead_letters(
                entry, "TTLExpiredException", "The message expired and was dead lettered."
            )
        else:
            self.store.remove(entry.sequence_number)


def _shorter(one: float | None, other: float | None) -> float | None:
    given = [seconds for seconds in (one, other) if seconds is not None]
    return min(given, default=None)
