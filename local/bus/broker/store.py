"""What a queue holds: its messages, indexed by everything a queue asks for.

All that ever changes passes through `put`, `remove`, `remember` and `next_number`, each of which
tells the recorder: what that saves makes the same store again.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum
from typing import Protocol
from uuid import UUID

from local.bus.amqp.message import Message
from local.bus.broker.indexed_heap import Agenda


class State(IntEnum):
    """States of a message, numbered as annotation x-opt-message-state numbers them."""

    ACTIVE = 0
    DEFERRED = 1
    SCHEDULED = 2


@dataclass(frozen=True, slots=True)
class Lock:
    """One receiver's claim on a message, until a time in seconds since 1970."""

    token: UUID
    until: float


@dataclass(frozen=True, slots=True)
class Entry:
    """A message in a queue. Times in seconds since 1970."""

    sequence_number: int
    message: Message
    enqueued_at: float
    state: State = State.ACTIVE
    delivery_count: int = 0
    time_to_live: float | None = None
    lock: Lock | None = None
    enqueued_sequence_number: int | None = None
    dead_letter_source: str | None = None

    @property
    def expires_at(self) -> float | None:
        """When its time to live ends."""
        return None if self.time_to_live is None else self.enqueued_at + self.time_to_live


@dataclass(frozen=True)
class Saved:
    """What a store begins with. `seen` are message ids with the times until which they are."""

    entries: tuple[Entry, ...] = ()
    seen: tuple[tuple[str, float], ...] = ()
    last_number: int = 0


class Recorder(Protocol):
    """Who is told each change of one store."""

    def load(self) -> Saved:
        """Give what was told before."""

    def entry(self, number: int, entry: Entry | None) -> None:
        """Take an entry, or that there is none of that number any more."""

    def seen(self, message_id: str, until: float | None) -> None:
        """Take a message id, or that it is forgotten."""

    def number(self, last: int) -> None:
        """Take the last sequence number given."""


class Unrecorded:
    """Records nothing: what is in the store ends with the process."""

    def load(self) -> Saved:
        """Give nothing."""
        return Saved()

    def entry(self, number: int, entry: Entry | None) -> None:
        """Do nothing."""

    def seen(self, message_id: str, until: float | None) -> None:
        """Do nothing."""

    def number(self, last: int) -> None:
        """Do nothing."""


class Store:
    """Entries by sequence number, by lock, and in the order of what happens to them next."""

    def __init__(self, recorder: Recorder) -> None:
        self._recorder = recorder
        self._entries: dict[int, Entry] = {}
        self._locked: dict[UUID, int] = {}
        self._seen: dict[str, float] = {}
        self._seen_order: deque[tuple[str, float]] = deque()
        self.ready = Agenda()
        self.lock_ends = Agenda()
        self.expiries = Agenda()
        self.schedule = Agenda()
        self.deferred: set[int] = set()
        self.octets = 0
        saved = recorder.load()
        self._last_number = saved.last_number
        self._seen.update(saved.seen)
        self._seen_order.extend(saved.seen)
        for entry in saved.entries:
            self._add(entry)

    def put(self, entry: Entry) -> None:
        """Add an entry, or replace the one of its sequence number."""
        self._recorder.entry(entry.sequence_number, entry)
        self._add(entry)

    def remove(self, sequence_number: int) -> None:
        """Remove an entry."""
        self._recorder.entry(sequence_number, None)
        self._forget(sequence_number)
        for agenda in (self.ready, self.lock_ends, self.expiries, self.schedule):
            agenda.discard(sequence_number)

    def remember(self, message_id: str, until: float) -> None:
        """Keep a message id, so that a second message of that id is known as a duplicate."""
        self._recorder.seen(message_id, until)
        self._seen[message_id] = until
        self._seen_order.append((message_id, until))

    def seen(self, message_id: str, now: float) -> bool:
        """Tell whether the id is remembered still."""
        while self._seen_order and self._seen_order[0][1] <= now:
            expired, until = self._seen_order.popleft()
            if self._seen.get(expired) == until:
                del self._seen[expired]
                self._recorder.seen(expired, None)
        return message_id in self._seen

    def next_number(self) -> int:
        """Give a sequence number that was never given before."""
        self._last_number += 1
        self._recorder.number(self._last_number)
        return self._last_number

    def get(self, sequence_number: int) -> Entry | None:
        """Give the entry of that number."""
        return self._entries.get(sequence_number)

    def holding(self, token: UUID) -> Entry | None:
        """Give the entry locked with that token."""
        key = self._locked.get(token)
        return None if key is None else self._entries[key]

    def __iter__(self) -> Iterator[Entry]:
        return iter(self._entries.values())

    def __len__(self) -> int:
        return len(self._entries)

    def _add(self, entry: Entry) -> None:
        key = entry.sequence_number
        self._forget(key)
        self._entries[key] = entry
        self.octets += entry.message.size
        if entry.state is State.SCHEDULED:
            self.schedule.set(key, entry.enqueued_at)
        elif entry.lock is not None:
            self._locked[entry.lock.token] = key
            self.lock_ends.set(key, entry.lock.until)
        elif entry.state is State.ACTIVE:
            self.ready.set(key, key)
        else:
            self.deferred.add(key)
        # A locked message is its receiver's: it does not expire before the lock does.
        if (
            entry.expires_at is not None
            and entry.lock is None
            and entry.state is not State.SCHEDULED
        ):
            self.expiries.set(key, entry.expires_at)

    def _forget(self, key: int) -> None:
        old = self._entries.pop(key, None)
        if old is None:
            return
        self.octets -= old.message.size
        self.deferred.discard(key)
        if old.lock is not None:
            self._locked.pop(old.lock.token, None)
            self.lock_ends.discard(key)
        for agenda in (self.ready, self.expiries, self.schedule):
            agenda.discard(key)
