"""A message in a queue, as a value: each change of it makes another entry.

Source: Microsoft Learn, "Message transfers, locks, and settlement", "Message deferral",
"Dead-letter queues".
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import IntEnum
from uuid import UUID

from local.bus.amqp.message import Message
from local.bus.amqp.values import Value


class EntryState(IntEnum):
    """States of a message, numbered as annotation x-opt-message-state numbers them."""

    ACTIVE = 0
    DEFERRED = 1
    SCHEDULED = 2


@dataclass(frozen=True, slots=True)
class MessageLock:
    """One receiver's claim on a message, until a time in seconds since 1970."""

    token: UUID
    until: float


@dataclass(frozen=True, slots=True)
class QueueEntry:
    """A message in a queue. Times in seconds since 1970."""

    sequence_number: int
    message: Message
    enqueued_at: float
    state: EntryState = EntryState.ACTIVE
    delivery_count: int = 0
    time_to_live: float | None = None
    lock: MessageLock | None = None
    enqueued_sequence_number: int | None = None
    dead_letter_source: str | None = None

    @property
    def is_active(self) -> bool:
        """Whether it waits, or is locked and was not set aside."""
        return self.state is EntryState.ACTIVE

    @property
    def expires_at(self) -> float | None:
        """When its time to live ends."""
        return None if self.time_to_live is None else self.enqueued_at + self.time_to_live

    def locked(self, token: UUID, until: float) -> QueueEntry:
        """Return it with a receiver's lock."""
        return replace(self, lock=MessageLock(token, until))

    def released(self) -> QueueEntry:
        """Return it without its lock, the delivery not counted."""
        return replace(self, lock=None)

    def failed(self) -> QueueEntry:
        """Return it without its lock, after a delivery that counts and came to nothing."""
        return replace(self, lock=None, delivery_count=self.delivery_count + 1)

    def deferred(self) -> QueueEntry:
        """Return it as one that is received by its sequence number only; the delivery counts."""
        return replace(self.failed(), state=EntryState.DEFERRED)

    def enqueued(self, sequence_number: int) -> QueueEntry:
        """Return a scheduled one as one that is due, under a number of its own, as in Azure."""
        return replace(self, sequence_number=sequence_number, state=EntryState.ACTIVE)

    def dead_lettered(self, reason: str | None, description: str | None) -> QueueEntry:
        """Return it as a dead letter; the reason becomes application properties.

        Its number stays, and its time no longer ends: a dead letter waits until it is looked at.
        """
        why = {"DeadLetterReason": reason, "DeadLetterErrorDescription": description}
        given: dict[str, Value] = {name: text for name, text in why.items() if text is not None}
        return replace(
            self.with_properties(given), state=EntryState.ACTIVE, lock=None, time_to_live=None
        )

    def with_properties(self, changes: Mapping[str, Value] | None) -> QueueEntry:
        """Return it with application properties added or replaced."""
        if not changes:
            return self
        return replace(self, message=self.message.with_application_properties(changes))
