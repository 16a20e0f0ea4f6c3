"""What a queue holds: its messages, indexed by everything a queue asks for.

All that ever changes passes through `put`, `remove`, `record_message_id` and `next_number`, each of
which tells the recorder: what that saves makes the same store again.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum
from typing import Protocol
from uuid import UUID

from local.bus.amqp.message import Message
from local.bus.broker.indexed_heap import IndexedHeap


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
    def expires_at(self) -> float | None:
        """When its time to live ends."""
        return None if self.time_to_live is None else self.enqueued_at + self.time_to_live


@dataclass(frozen=True)
class Saved:
    """What a store begins with. `message_ids` have the times until which a repeat is dropped."""

    entries: tuple[QueueEntry, ...] = ()
    message_ids: tuple[tuple[str, float], ...] = ()
    last_number: int = 0


class StoreRecorder(Protocol):
    """Who is told each change of one store."""

    def load(self) -> Saved:
        """Give what was told before."""

    def entry(self, number: int, entry: QueueEntry | None) -> None:
        """Take an entry, or that there is none of that number any more."""

    def message_id(self, message_id: str, until: float | None) -> None:
        """Take a message id, or that it is forgotten."""

    def number(self, last: int) -> None:
        """Take the last sequence number given."""


class NullRecorder:
    """Records nothing: what is in the store ends with the process."""

    def load(self) -> Saved:
        """Give nothing."""
        return Saved()

    def entry(self, number: int, entry: QueueEntry | None) -> None:
        """Do nothing."""

    def message_id(self, message_id: str, until: float | None) -> None:
        """Do nothing."""

    def number(self, last: int) -> None:
        """Do nothing."""


class Store:
    """Entries by sequence number, by lock, and in the order of what happens to them next."""

    def __init__(self, recorder: StoreRecorder) -> None:
        self._recorder = recorder
        self._entries: dict[int, QueueEntry] = {}
        self._locked: dict[UUID, int] = {}
        self._duplicate_window: dict[str, float] = {}
        self._duplicate_order: deque[tuple[str, float]] = deque()
        self.ready = IndexedHeap()
        self.lock_ends = IndexedHeap()
        self.expiries = IndexedHeap()
        self.schedule = IndexedHeap()
        self.deferred: set[int] = set()
        self.total_bytes = 0
        saved = recorder.load()
        self._last_number = saved.last_number
        self._duplicate_window.update(saved.message_ids)
        self._duplicate_order.extend(saved.message_ids)
        for entry in saved.entries:
            self._add(entry)

    def put(self, entry: QueueEntry) -> None:
        """Add an entry, or replace the one of its sequence number."""
        self._recorder.entry(entry.sequence_number, entry)
        self._add(entry)

    def remove(self, sequence_number: int) -> None:
        """Remove an entry."""
        self._recorder.entry(sequence_number, None)
        self._forget(sequence_number)
        for agenda in (self.ready, self.lock_ends, self.expiries, self.schedule):
            agenda.discard(sequence_number)

    def record_message_id(self, message_id: str, until: float) -> None:
        """Keep a message id, so that a second message of that id is known as a duplicate."""
        self._recorder.message_id(message_id, until)
        self._duplicate_window[message_id] = until
        self._duplicate_order.append((message_id, until))

    def is_duplicate(self, message_id: str, now: float) -> bool:
        """Return whether the id is remembered still."""
        while self._duplicate_order and self._duplicate_order[0][1] <= now:
            expired, until = self._duplicate_order.popleft()
            if self._duplicate_window.get(expired) == until:
                del self._duplicate_window[expired]
                self._recorder.message_id(expired, None)
        return message_id in self._duplicate_window

    def next_number(self) -> int:
        """Give a sequence number that was never given before."""
        self._last_number += 1
        self._recorder.number(self._last_number)
        return self._last_number

    def get(self, sequence_number: int) -> QueueEntry | None:
        """Give the entry of that number."""
        return self._entries.get(sequence_number)

    def holding(self, token: UUID) -> QueueEntry | None:
        """Give the entry locked with that token."""
        key = self._locked.get(token)
        return None if key is None else self._entries[key]

    def __iter__(self) -> Iterator[QueueEntry]:
        return iter(self._entries.values())

    def __len__(self) -> int:
        return len(self._entries)

    def _add(self, entry: QueueEntry) -> None:
        key = entry.sequence_number
        self._forget(key)
        self._entries[key] = entry
        self.total_bytes += entry.message.size
        if entry.state is EntryState.SCHEDULED:
            self.schedule.set(key, entry.enqueued_at)
        elif entry.lock is not None:
            self._locked[entry.lock.token] = key
            self.lock_ends.set(key, entry.lock.until)
        elif entry.state is EntryState.ACTIVE:
            self.ready.set(key, key)
        else:
            self.deferred.add(key)
        # A locked message is its receiver's: it does not expire before the lock does.
        if (
            entry.expires_at is not None
            and entry.lock is None
            and entry.state is not EntryState.SCHEDULED
        ):
            self.expiries.set(key, entry.expires_at)

    def _forget(self, key: int) -> None:
        old = self._entries.pop(key, None)
        if old is None:
            return
        self.total_bytes -= old.message.size
        self.deferred.discard(key)
        if old.lock is not None:
            self._locked.pop(old.lock.token, None)
            self.lock_ends.discard(key)
        for agenda in (self.ready, self.expiries, self.schedule):
            agenda.discard(key)
