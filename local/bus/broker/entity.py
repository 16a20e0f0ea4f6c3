"""An entity of a namespace: its properties, its dead-letter queues, and how much it holds.

Source: Microsoft Learn, "Azure Service Bus quotas and limits", "Dead-letter queues".
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from local.bus.amqp.errors import QueueFullError
from local.bus.amqp.message import Message
from local.bus.broker.admission import check_message
from local.bus.broker.entry import QueueEntry
from local.bus.broker.store import Store
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


class Entity:
    """A queue, topic or subscription, or one of its dead-letter queues, which have none."""

    def __init__(self, spec: QueueSpec, name: str, forward_to: str | None, store: Store) -> None:
        self.spec = spec
        self.name = name
        self.forward_to = forward_to
        self.store = store
        self.dead_letters: Entity | None = None
        self.transfer_dead_letters: Entity | None = None
        self.is_deleted = False
        self.accessed_at = 0.0

    def parts(self) -> Sequence[Entity]:
        """Return the entity, and its dead-letter queues if it has its own."""
        if self.dead_letters is None or self.transfer_dead_letters is None:
            return (self,)
        return (self, self.dead_letters, self.transfer_dead_letters)

    def configure(self, spec: QueueSpec) -> None:
        """Go by other properties from now on; what is held keeps its times."""
        for part in self.parts():
            part.spec = spec
        self.forward_to = spec.forward_to
        if self.dead_letters is not None:
            self.dead_letters.forward_to = spec.forward_dead_letters_to

    def clear(self) -> None:
        """Remove everything, dead letters too."""
        for part in self.parts():
            for entry in list(part.store):
                part.store.remove(entry.sequence_number)

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
        """What the entity holds, with its dead letters."""
        return sum(part.store.total_bytes for part in self.parts())

    def default_time_to_live(self) -> float | None:
        """Return the longest that a message may live, in seconds; None for no limit."""
        limit = self.spec.time_to_live
        return None if limit is None else limit.total_seconds()

    def move_to_dead_letters(
        self, entry: QueueEntry, reason: str | None, description: str | None
    ) -> None:
        """Move a message to the dead letters; one of a dead-letter queue stays there."""
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

    def count_by_state(self) -> Counts:
        """Count the messages by state, as they are."""
        store, letters, transfer = self.store, self.dead_letters, self.transfer_dead_letters
        return Counts(
            active=len(store.ready),
            scheduled=len(store.schedule),
            deferred=len(store.deferred),
            locked=len(store.lock_ends),
            dead_lettered=len(letters.store) if letters else 0,
            transfer_dead_lettered=len(transfer.store) if transfer else 0,
        )
