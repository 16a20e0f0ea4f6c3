"""The message sessions of a queue: who has locked which, and what state each was given; pure.

Source: Microsoft Learn, "Message sessions".
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from uuid import UUID, uuid4

from local.bus.amqp.errors import SessionCannotBeLockedError, SessionLockLostError
from local.bus.broker.entry import QueueEntry
from local.bus.broker.store import Store

_MIN_PRUNE = 64


@dataclass(eq=False)
class MessageSessionLock:
    """One receiver's hold on a session, until a time in seconds since 1970.

    `tokens` are those of the messages that it has locked, by sequence number: they last as long
    as the session's own lock. `owner` is what else may use it than the receiver itself.
    """

    session_id: str
    until: float
    owner: object = None
    tokens: dict[int, UUID] = field(default_factory=dict)
    prune_at: int = _MIN_PRUNE


class MessageSessions:
    """The sessions of one queue. Times are seconds since 1970."""

    def __init__(self, store: Store, lock_duration: timedelta) -> None:
        self._store = store
        self._seconds = lock_duration.total_seconds()
        self._locks: dict[str, MessageSessionLock] = {}
        self._lost: list[MessageSessionLock] = []

    # Locks

    def next_available(self) -> str | None:
        """Return the session with the oldest message that waits, of those that nobody has."""
        firsts = (
            (heap.first(), session_id)
            for session_id, heap in self._store.ready_by_session.items()
            if session_id not in self._locks
        )
        oldest = min(
            ((first[0], session_id) for first, session_id in firsts if first is not None),
            default=None,
        )
        return None if oldest is None else oldest[1]

    def accept(self, session_id: str, now: float, owner: object = None) -> MessageSessionLock:
        """Lock a session, which need not have messages. Raises SessionCannotBeLockedError."""
        if session_id in self._locks:
            raise SessionCannotBeLockedError(session_id)
        lock = MessageSessionLock(session_id, now + self._seconds, owner)
        self._locks[session_id] = lock
        return lock

    def held_by(self, session_id: str, owner: object) -> MessageSessionLock:
        """Return the lock that an owner has on a session. Raises SessionLockLostError."""
        lock = self._locks.get(session_id)
        if lock is None or lock.owner is not owner:
            raise SessionLockLostError
        return lock

    def has(self, lock: MessageSessionLock) -> bool:
        """Return whether a lock is still in force."""
        return self._locks.get(lock.session_id) is lock

    def renew(self, lock: MessageSessionLock, now: float) -> float:
        """Start a lock's time again, and that of its messages; return its new end."""
        self._require(lock)
        lock.until = now + self._seconds
        for entry, token in self._held(lock):
            self._store.put(entry.locked(token, lock.until))
        return lock.until

    def release(self, lock: MessageSessionLock) -> None:
        """End a lock; the messages that it has are released, and those deliveries do not count."""
        if self.has(lock):
            del self._locks[lock.session_id]
            for entry, _ in self._held(lock):
                self._store.put(entry.released())

    def expire(self, now: float) -> None:
        """End the locks whose time is over; those of their messages end by themselves."""
        for lock in [lock for lock in self._locks.values() if lock.until <= now]:
            del self._locks[lock.session_id]
            self._lost.append(lock)

    def take_lost(self) -> list[MessageSessionLock]:
        """Return, once, the locks that expired."""
        lost, self._lost = self._lost, []
        return lost

    def next_event(self) -> float:
        """Return when the first lock ends; infinity for never."""
        return min((lock.until for lock in self._locks.values()), default=math.inf)

    # Messages

    def first(self, session_id: str) -> QueueEntry | None:
        """Return the first message of a session that waits, and leave it there."""
        heap = self._store.ready_by_session.get(session_id)
        first = heap.first() if heap is not None else None
        return None if first is None else self._store.get(first[1])

    def lock_message(self, lock: MessageSessionLock, entry: QueueEntry) -> QueueEntry:
        """Lock a message of the session for as long as the session is locked."""
        self._require(lock)
        locked = entry.locked(uuid4(), lock.until)
        if locked.lock is not None:
            self._prune(lock)
            lock.tokens[entry.sequence_number] = locked.lock.token
        self._store.put(locked)
        return locked

    def _prune(self, lock: MessageSessionLock) -> None:
        # Those of settled messages go when as many again have come: a session can last for ever.
        if len(lock.tokens) >= lock.prune_at:
            lock.prune_at = _MIN_PRUNE + 2 * sum(1 for _ in self._held(lock))

    def _held(self, lock: MessageSessionLock) -> Iterator[tuple[QueueEntry, UUID]]:
        for number, token in list(lock.tokens.items()):
            entry = self._store.get(number)
            if entry is not None and entry.lock is not None and entry.lock.token == token:
                yield entry, token
            else:
                del lock.tokens[number]

    def _require(self, lock: MessageSessionLock) -> None:
        if not self.has(lock):
            raise SessionLockLostError

    # State

    def state(self, session_id: str) -> bytes | None:
        """Return the state of a session, or None where it has none."""
        found = self._store.session_states.get(session_id)
        return None if found is None else found.state

    def set_state(self, lock: MessageSessionLock, state: bytes | None, now: float) -> None:
        """Give a session a state, or take it away; it stays when the session has no messages."""
        self._require(lock)
        self._store.put_session_state(lock.session_id, state, now)

    def with_messages(self) -> list[str]:
        """Return the ids of the sessions that have messages which wait or are locked."""
        found = {
            entry.message.session_id
            for entry in self._store
            if entry.is_active and entry.message.session_id is not None
        }
        return sorted(found)

    def updated_since(self, at: float) -> list[str]:
        """Return the ids of the sessions whose state was set after a time."""
        states = self._store.session_states
        return sorted(name for name, found in states.items() if found.updated_at > at)
