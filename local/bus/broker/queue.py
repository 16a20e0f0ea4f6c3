"""A queue of Service Bus, pure: no clock, no socket; every operation takes the time of it.

Times are seconds since 1970. Source: Microsoft Learn, "Message transfers, locks, and settlement",
"Message expiration", "Dead-letter queues", "Duplicate detection", "Message sequencing",
"Message deferral".
"""

from __future__ import annotations

import heapq
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from uuid import UUID, uuid4

from local.bus.amqp.errors import (
    LockLostError,
    MessageNotFoundError,
    QueueFullError,
    SessionLockLostError,
)
from local.bus.amqp.message import Message
from local.bus.amqp.values import Value
from local.bus.broker.admission import check_message
from local.bus.broker.entry import EntryState, QueueEntry
from local.bus.broker.message_sessions import MessageSessionLock, MessageSessions
from local.bus.broker.store import NullRecorder, Store, StoreRecorder
from local.deployment.resources import QueueSpec

# Empty messages add nothing to a queue's size, and still take memory here: as many as a queue of
# the usual size holds of 1 KB each.
MAX_MESSAGES = 1024 * 1024
DEAD_LETTER_SUFFIX = "/$DeadLetterQueue"
TRANSFER_SUFFIX = "/$Transfer/$DeadLetterQueue"


@dataclass(frozen=True)
class Counts:
    """How many messages are in each state; `active` ones wait, `locked` ones are at a receiver.

    `transfer_dead_lettered` are those that could not be forwarded.
    """

    active: int
    scheduled: int
    deferred: int
    locked: int
    dead_lettered: int
    transfer_dead_lettered: int = 0


class Queue:
    """The messages of one queue, or of one of its dead-letter queues, and the operations on them.

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
        self.spec = spec
        self.is_dead_letter = is_dead_letter or is_transfer
        self.transfer_dead_letters = transfer
        self.dead_letters: Queue | None = None
        if is_transfer:
            self.name, self.forward_to = spec.name + TRANSFER_SUFFIX, None
        elif is_dead_letter:
            self.name = spec.name + DEAD_LETTER_SUFFIX
            self.forward_to = spec.forward_dead_letters_to
        else:
            self.name, self.forward_to = spec.name, spec.forward_to
            transfer = Queue(spec, recorder, is_transfer=True)
            self.transfer_dead_letters = transfer
            self.dead_letters = Queue(spec, recorder, is_dead_letter=True, transfer=transfer)
        has_sessions = spec.requires_session and not self.is_dead_letter
        self.store = Store(recorder(self.name), by_session=has_sessions)
        self.sessions = MessageSessions(self.store, spec.lock_duration) if has_sessions else None

    # Sending

    def check(self, message: Message, size: int) -> None:
        """Raise AmqpError for a message that is above a limit, or that there is no room for."""
        check_message(self.spec, message, size)
        if not self.has_room(size):
            raise self.full()

    def has_room(self, size: int) -> bool:
        """Return whether a message of that size in bytes fits into the queue."""
        if len(self.store) >= MAX_MESSAGES:
            return False
        return self.size_in_bytes + size <= self.spec.max_size_bytes

    def full(self) -> QueueFullError:
        """Return the error that says that there is no room."""
        return QueueFullError(self.name, self.size_in_bytes, self.spec.max_size_bytes)

    @property
    def size_in_bytes(self) -> int:
        """What the queue holds, with its dead letters."""
        return sum(part.store.total_bytes for part in self.parts())

    def parts(self) -> Iterator[Queue]:
        """Return the queue, and its dead-letter queues if it has its own."""
        yield self
        if self.dead_letters is not None:
            yield self.dead_letters
            if self.transfer_dead_letters is not None:
                yield self.transfer_dead_letters

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
                time_to_live=_shorter(message.time_to_live, self._default_time_to_live()),
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
        self._move_to_dead_letters(entry, reason, description)

    def _move_to_dead_letters(
        self, entry: QueueEntry, reason: str | None, description: str | None
    ) -> None:
        """Move an entry of this queue to its dead letters; those of a dead-letter queue stay."""
        dead_letters = self.dead_letters or self
        if dead_letters is not self:
            self.store.remove(entry.sequence_number)
        dead_letters.store.put(entry.dead_lettered(reason, description))

    def fail_transfer(self, entry: QueueEntry, reason: str, description: str) -> None:
        """Move a message that cannot be forwarded to the transfer dead-letter queue."""
        transfer = self.transfer_dead_letters
        if transfer is not None:
            self.store.remove(entry.sequence_number)
            transfer.store.put(
                replace(
                    entry.dead_lettered(reason, description),
                    sequence_number=transfer.store.next_number(),
                )
            )

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
        store = self.store
        return Counts(
            active=len(store.ready),
            scheduled=len(store.schedule),
            deferred=len(store.deferred),
            locked=len(store.lock_ends),
            dead_lettered=len(self.dead_letters.store) if self.dead_letters else 0,
            transfer_dead_lettered=(
                len(self.transfer_dead_letters.store) if self.transfer_dead_letters else 0
            ),
        )

    def _default_time_to_live(self) -> float | None:
        limit = self.spec.time_to_live
        return None if limit is None else limit.total_seconds()

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
        self._move_to_dead_letters(
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
            self._move_to_dead_letters(
                entry, "TTLExpiredException", "The message expired and was dead lettered."
            )
        else:
            self.store.remove(entry.sequence_number)


def _shorter(one: float | None, other: float | None) -> float | None:
    given = [seconds for seconds in (one, other) if seconds is not None]
    return min(given, default=None)
