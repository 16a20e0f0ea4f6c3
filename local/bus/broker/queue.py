"""A queue of Service Bus, pure: no clock, no socket; every operation is told what time it is.

Times are seconds since 1970. Source: Microsoft Learn, "Message transfers, locks, and settlement",
"Message expiration", "Dead-letter queues", "Duplicate detection", "Message sequencing",
"Message deferral".
"""

from __future__ import annotations

import heapq
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from uuid import UUID, uuid4

from local.bus.amqp.errors import (
    OUT_OF_RANGE,
    RESOURCE_LIMIT,
    SIZE_EXCEEDED,
    AmqpError,
    LockLostError,
    MessageNotFoundError,
)
from local.bus.amqp.message import Message
from local.bus.amqp.values import Value
from local.bus.broker.store import (
    EntryState,
    MessageLock,
    NullRecorder,
    QueueEntry,
    Store,
    StoreRecorder,
)
from local.deployment.resources import QueueSpec

MAX_MESSAGE_ID = 128
MAX_PROPERTIES = 64 * 1024  # octets of all of a message's properties, as in Azure
# Empty messages count for nothing in a queue's size, and still take room here: as many as a queue
# of the usual size holds of 1 KB each.
MAX_MESSAGES = 1024 * 1024
DEAD_LETTER_SUFFIX = "/$DeadLetterQueue"


@dataclass(frozen=True)
class Counts:
    """How many messages are in each state; `active` ones wait, `locked` ones are at a receiver."""

    active: int
    scheduled: int
    deferred: int
    locked: int
    dead_lettered: int


class Queue:
    """The messages of one queue, or of its dead-letter queue, and what may be done with them.

    `recorder` gives, by a queue's name, who remembers what that holds.
    """

    def __init__(
        self,
        spec: QueueSpec,
        recorder: Callable[[str], StoreRecorder] = lambda _: NullRecorder(),
        *,
        is_dead_letter: bool = False,
    ) -> None:
        self.spec = spec
        self.is_dead_letter = is_dead_letter
        self.name = spec.name + DEAD_LETTER_SUFFIX if is_dead_letter else spec.name
        self.forward_to = spec.forward_dead_letters_to if is_dead_letter else spec.forward_to
        self.dead_letters = None if is_dead_letter else Queue(spec, recorder, is_dead_letter=True)
        self.store = Store(recorder(self.name))

    # Sending

    def check(self, message: Message, size: int) -> None:
        """Refuse a message that the queue cannot take: too large, or no room."""
        if size > self.spec.max_message_bytes:
            raise AmqpError(
                SIZE_EXCEEDED,
                f"The received message (size: {size} bytes) exceeds the limit "
                f"({self.spec.max_message_bytes} bytes) currently allowed on the link.",
            )
        if message.properties_size > MAX_PROPERTIES:
            raise AmqpError(
                SIZE_EXCEEDED, f"All properties together exceed {MAX_PROPERTIES} bytes."
            )
        if len(message.message_id) > MAX_MESSAGE_ID:
            raise AmqpError(OUT_OF_RANGE, f"The message id exceeds {MAX_MESSAGE_ID} characters.")
        if not self.has_room(size):
            raise AmqpError(
                RESOURCE_LIMIT, f"The queue '{self.name}' has reached its maximum size."
            )

    def has_room(self, size: int) -> bool:
        """Return whether so many octets more stay within the queue's size."""
        if len(self.store) >= MAX_MESSAGES:
            return False
        dead = self.dead_letters.store.total_bytes if self.dead_letters else 0
        return self.store.total_bytes + dead + size <= self.spec.max_size_bytes

    def send(
        self,
        message: Message,
        now: float,
        *,
        origin: int | None = None,
        source: str | None = None,
    ) -> int:
        """Take a message, now or on its scheduled time; return its sequence number.

        A duplicate is taken as well and dropped, so its number leads nowhere, as in Azure.
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

    def cancel(self, sequence_number: int, now: float) -> None:
        """Take a scheduled message back."""
        self.advance(now)
        entry = self.store.get(sequence_number)
        if entry is None or entry.state is not EntryState.SCHEDULED:
            raise MessageNotFoundError
        self.store.remove(sequence_number)

    # Receiving

    def first(self, now: float) -> QueueEntry | None:
        """Give the first message that waits, and leave it there."""
        self.advance(now)
        first = self.store.ready.first()
        return None if first is None else self._entry(first[1])

    def receive(self, now: float) -> QueueEntry | None:
        """Lock the first message that waits."""
        entry = self.first(now)
        return None if entry is None else self._lock(entry, now)

    def take(self, now: float) -> QueueEntry | None:
        """Remove and give the first message that waits: receive-and-delete, and forwarding."""
        entry = self.first(now)
        if entry is not None:
            self.store.remove(entry.sequence_number)
        return entry

    def receive_deferred(
        self, numbers: Sequence[int], now: float, *, delete: bool = False
    ) -> list[QueueEntry]:
        """Lock deferred messages, or remove them; all of them or, if one is not there, none."""
        self.advance(now)
        entries = [self.store.get(number) for number in dict.fromkeys(numbers)]
        found = [
            entry
            for entry in entries
            if entry is not None and entry.state is EntryState.DEFERRED and entry.lock is None
        ]
        if not found or len(found) != len(entries):
            raise MessageNotFoundError
        if not delete:
            return [self._lock(entry, now) for entry in found]
        for entry in found:
            self.store.remove(entry.sequence_number)
        return found

    def peek(self, from_number: int, count: int, now: float) -> list[QueueEntry]:
        """Give up to `count` messages of any state from a sequence number on, without locking."""
        self.advance(now)
        return heapq.nsmallest(
            count,
            (entry for entry in self.store if entry.sequence_number >= from_number),
            key=lambda entry: entry.sequence_number,
        )

    # Settling

    def renew(self, token: UUID, now: float) -> float:
        """Start a lock's time again; return its new end."""
        entry = self._held(token, now)
        until = now + self.spec.lock_duration.total_seconds()
        self.store.put(replace(entry, lock=MessageLock(token, until)))
        return until

    def complete(self, token: UUID, now: float) -> None:
        """Remove a message: it is done."""
        self.store.remove(self._held(token, now).sequence_number)

    def release(self, token: UUID, now: float) -> None:
        """Unlock a message that was never looked at: this delivery does not count."""
        self.store.put(replace(self._held(token, now), lock=None))
        self.advance(now)

    def abandon(self, token: UUID, now: float, changes: Mapping[str, Value] | None = None) -> None:
        """Unlock a message whose handling failed; after the last try it is dead-lettered."""
        entry = self._held(token, now)
        self._fail(_changed(entry, changes))
        self.advance(now)

    def defer(self, token: UUID, now: float, changes: Mapping[str, Value] | None = None) -> None:
        """Set a message aside, to be received by its sequence number only."""
        entry = _changed(self._held(token, now), changes)
        count = entry.delivery_count + 1
        self.store.put(replace(entry, lock=None, state=EntryState.DEFERRED, delivery_count=count))

    def dead_letter(
        self,
        token: UUID,
        now: float,
        reason: str | None,
        description: str | None,
        changes: Mapping[str, Value] | None = None,
    ) -> None:
        """Move a message to the dead-letter queue; the reason becomes application properties."""
        entry = _changed(self._held(token, now), changes)
        self._move_to_dead_letters(entry, reason, description)

    def _move_to_dead_letters(
        self, entry: QueueEntry, reason: str | None, description: str | None
    ) -> None:
        """Put an entry of this queue to its dead letters; those of a dead-letter queue stay."""
        dead_letters = self.dead_letters or self
        why = {"DeadLetterReason": reason, "DeadLetterErrorDescription": description}
        message = entry.message.with_application_properties(
            {name: text for name, text in why.items() if text is not None}
        )
        if dead_letters is not self:
            self.store.remove(entry.sequence_number)
        # Its number stays, and its time no longer ends: a dead letter waits until it is looked at.
        dead_letters.store.put(
            replace(
                entry,
                message=message,
                state=EntryState.ACTIVE,
                lock=None,
                time_to_live=None,
            )
        )

    # Time

    def advance(self, now: float) -> None:
        """Let happen what was due by now: locks end, schedules fall due, lives end."""
        store = self.store
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
        return min((first[0] for first in firsts if first is not None), default=math.inf)

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
            raise LockLostError
        return entry

    def _lock(self, entry: QueueEntry, now: float) -> QueueEntry:
        until = now + self.spec.lock_duration.total_seconds()
        locked = replace(entry, lock=MessageLock(uuid4(), until))
        self.store.put(locked)
        return locked

    def _fail(self, entry: QueueEntry) -> None:
        """Count a delivery that came to nothing, and unlock."""
        counted = replace(entry, lock=None, delivery_count=entry.delivery_count + 1)
        if self.is_dead_letter or counted.delivery_count < self.spec.max_delivery_count:
            self.store.put(counted)
            return
        tries = counted.delivery_count
        self._move_to_dead_letters(
            counted,
            "MaxDeliveryCountExceeded",
            f"Message could not be consumed after {tries} delivery attempts.",
        )

    def _enqueue(self, entry: QueueEntry) -> None:
        """Let a scheduled message wait for receivers: under a new number, as in Azure."""
        self.store.remove(entry.sequence_number)
        number = self.store.next_number()
        self.store.put(replace(entry, sequence_number=number, state=EntryState.ACTIVE))

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


def _changed(entry: QueueEntry, changes: Mapping[str, Value] | None) -> QueueEntry:
    if not changes:
        return entry
    return replace(entry, message=entry.message.with_application_properties(changes))
