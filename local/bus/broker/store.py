"""What a queue holds: its messages, indexed by everything a queue looks for.

Every change passes through `put`, `remove`, `record_message_id` or `next_number`, each of which
calls the recorder: what that saves makes the same store again.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol
from uuid import UUID

from local.bus.broker.entry import EntryState, QueueEntry
from local.bus.broker.indexed_heap import IndexedHeap


@dataclass(frozen=True, slots=True)
class SessionState:
    """What a receiver stored for a message session, and when, in seconds since 1970."""

    state: bytes | None
    updated_at: float


@dataclass(frozen=True)
class Saved:
    """What a store begins with; `message_ids` with the times until which a duplicate is dropped."""

    entries: tuple[QueueEntry, ...] = ()
    message_ids: tuple[tuple[str, float], ...] = ()
    last_number: int = 0
    session_states: tuple[tuple[str, SessionState], ...] = ()


class StoreRecorder(Protocol):
    """Records each change of one store."""

    def load(self) -> Saved:
        """Return what was recorded before."""

    def entry(self, number: int, entry: QueueEntry | None) -> None:
        """Record an entry, or None for a number that is no longer there."""

    def message_id(self, message_id: str, until: float | None) -> None:
        """Record a message id, or None for one that has expired."""

    def number(self, last: int) -> None:
        """Record the last sequence number that was assigned."""

    def session_state(self, session_id: str, state: SessionState) -> None:
        """Record the state of a message session."""


class NullRecorder:
    """Records nothing: what is in the store ends with the process."""

    def load(self) -> Saved:
        """Return an empty store."""
        return Saved()

    def entry(self, number: int, entry: QueueEntry | None) -> None:
        """Do nothing."""

    def message_id(self, message_id: str, until: float | None) -> None:
        """Do nothing."""

    def number(self, last: int) -> None:
        """Do nothing."""

    def session_state(self, session_id: str, state: SessionState) -> None:
        """Do nothing."""


class Store:
    """Entries by sequence number, by lock, and in the order of what happens to them next.

    With `by_session` those that are ready are kept for each message session as well.
    """

    def __init__(self, recorder: StoreRecorder, *, by_session: bool = False) -> None:
        self._recorder = recorder
        self._by_session = by_session
        self.ready_by_session: dict[str, IndexedHeap] = {}
        self.session_states: dict[str, SessionState] = {}
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
        self.session_states.update(saved.session_states)
        self.total_bytes += sum(len(one.state or b"") for one in self.session_states.values())
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
        for heap in (self.ready, self.lock_ends, self.expiries, self.schedule):
            heap.discard(sequence_number)

    def record_message_id(self, message_id: str, until: float) -> None:
        """Keep a message id, by which a second message is recognised as a duplicate."""
        self._recorder.message_id(message_id, until)
        self._duplicate_window[message_id] = until
        self._duplicate_order.append((message_id, until))

    def is_duplicate(self, message_id: str, now: float) -> bool:
        """Return whether the id is still within the duplicate detection window."""
        while self._duplicate_order and self._duplicate_order[0][1] <= now:
            expired, until = self._duplicate_order.popleft()
            if self._duplicate_window.get(expired) == until:
                del self._duplicate_window[expired]
                self._recorder.message_id(expired, None)
        return message_id in self._duplicate_window

    def put_session_state(self, session_id: str, state: bytes | None, now: float) -> None:
        """Replace the state of a message session."""
        before = self.session_states.get(session_id)
        self.total_bytes += len(state or b"") - len((before and before.state) or b"")
        self.session_states[session_id] = SessionState(state, now)
        self._recorder.session_state(session_id, self.session_states[session_id])

    def next_number(self) -> int:
        """Return a sequence number that was never assigned before."""
        self._last_number += 1
        self._recorder.number(self._last_number)
        return self._last_number

    def get(self, sequence_number: int) -> QueueEntry | None:
        """Return the entry of that number."""
        return self._entries.get(sequence_number)

    def holding(self, token: UUID) -> QueueEntry | None:
        """Return the entry locked with that token."""
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
            if self._by_session and entry.message.session_id is not None:
                heap = self.ready_by_session.setdefault(entry.message.session_id, IndexedHeap())
                heap.set(key, key)
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
        for heap in (self.ready, self.expiries, self.schedule):
            heap.discard(key)
        if self._by_session and old.message.session_id is not None:
            self._discard_in_session(old.message.session_id, key)

    def _discard_in_session(self, session_id: str, key: int) -> None:
        heap = self.ready_by_session.get(session_id)
        if heap is not None:
            heap.discard(key)
            if not len(heap):
                del self.ready_by_session[session_id]
