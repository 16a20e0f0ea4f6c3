"""What a bus holds, kept in a file, so that a killed process loses nothing it acknowledged.

Durable means written to the operating system: it outlives the process, but not a power cut.
"""

from __future__ import annotations

import math
import sqlite3
import zlib
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeAlias
from uuid import uuid4

from local.bus.amqp.decoding import DecodeError
from local.bus.amqp.message import Message, parse, write
from local.bus.broker.address import parse_address
from local.bus.broker.entry import EntryState, MessageLock, QueueEntry
from local.bus.broker.journal_file import open_file
from local.bus.broker.store import Saved, SessionState

_Key: TypeAlias = tuple[int, int]
_Row: TypeAlias = tuple[float, int, int, float | None, bool, int | None, str | None]


class JournalError(Exception):
    """The journal at `path` cannot be opened, read or written, or does not fit the deployment."""

    def __init__(self, path: Path, what: str) -> None:
        super().__init__(f"{path}: {what}")
        self.path = path


class Journal:
    """The file of one bus, to be used from one thread. Changes become durable by `commit`.

    All changes up to a `commit` are written together: all of them or none. Raises JournalError.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._written: dict[_Key, QueueEntry] = {}
        self._entries: dict[_Key, QueueEntry | None] = {}
        self._message_ids: dict[tuple[int, str], float | None] = {}
        self._numbers: dict[int, int] = {}
        self._session_states: dict[tuple[int, str], SessionState] = {}
        self._ids: dict[str, int] = {}
        with self._naming_the_file(f"cannot be opened ({_REMEDY})"):
            self._database = open_file(path)
        self._is_open = True

    def open_queues(self, names: Iterable[str]) -> None:
        """Keep these queues from now on.

        Removes any other one. Raises JournalError if that holds messages: none is dropped silently.
        """
        with self._naming_the_file(f"cannot be read ({_REMEDY})"), self._transaction():
            deployed = {name.lower() for name in names}
            self._refuse_orphans(deployed)
            for name in self._known() - deployed:
                self._forget_queue(name)
            for name in deployed - self._known():
                self._database.execute(
                    "INSERT INTO queue (name, last_number) VALUES (?, 0)", (name,)
                )
            self._ids = dict(self._database.execute("SELECT name, id FROM queue"))

    def queue(self, name: str) -> QueueJournal:
        """Return the part of one queue."""
        return QueueJournal(self, self._ids[name.lower()])

    def commit(self) -> None:
        """Write what changed. On JournalError nothing is lost: the next commit tries again."""
        if self._entries or self._message_ids or self._numbers or self._session_states:
            with self._naming_the_file("cannot be written"):
                self._write()

    def close(self) -> None:
        """Write what changed, all of it to the disk, and close the file; again does nothing."""
        if self._is_open:
            self._is_open = False
            try:
                self.commit()
            finally:
                self._database.close()

    # Recording

    def note_entry(self, key: _Key, entry: QueueEntry | None) -> None:
        """Record an entry; None for one that is gone."""
        self._entries[key] = entry

    def note_message_id(self, queue: int, message_id: str, until: float | None) -> None:
        """Record until when a message id is kept; None for one that has expired."""
        self._message_ids[queue, message_id] = until

    def note_number(self, queue: int, last: int) -> None:
        """Record the last sequence number that was assigned."""
        self._numbers[queue] = last

    def note_session_state(self, queue: int, session_id: str, state: SessionState) -> None:
        """Record the state of a message session."""
        self._session_states[queue, session_id] = state

    # Reading

    def load(self, queue: int) -> Saved:
        """Read what a queue held at the last commit."""
        with self._naming_the_file(f"cannot be read ({_REMEDY})"):
            entries = tuple(self._load_entries(queue))
            seen = self._database.execute(
                "SELECT message_id, until FROM seen WHERE queue = ? ORDER BY until", (queue,)
            ).fetchall()
            (last,) = self._database.execute(
                "SELECT last_number FROM queue WHERE id = ?", (queue,)
            ).fetchone()
            states = self._database.execute(
                "SELECT session, state, updated_at FROM session_state WHERE queue = ?", (queue,)
            )
            sessions = tuple((name, SessionState(state, at)) for name, state, at in states)
            return Saved(entries, tuple(seen), last, sessions)

    def _load_entries(self, queue: int) -> Iterator[QueueEntry]:
        found = self._database.execute(
            "SELECT number, content, checksum, enqueued_at, state, delivery_count, time_to_live,"
            " locked, origin, source FROM entry LEFT JOIN message USING (queue, number)"
            " WHERE queue = ? ORDER BY number",
            (queue,),
        )
        for number, content, checksum, *row in found:
            entry = _entry(number, self._message(number, content, checksum), *row)
            self._written[queue, number] = entry
            yield entry

    def _message(self, number: int, content: object, checksum: object) -> Message:
        # The database has no checksums of its own, and must not pass off damage as a message.
        if isinstance(content, bytes) and zlib.crc32(content) == checksum:
            try:
                return parse(content)
            except DecodeError:
                pass
        raise JournalError(self.path, f"message {number} in it is damaged; {_REMEDY}")

    # Writing

    def _write(self) -> None:
        removed: list[_Key] = []
        contents: list[tuple[int, int, bytes, int]] = []
        rows: list[tuple[int, int, *_Row]] = []
        for key, entry in self._entries.items():
            before = self._written.get(key)
            if entry is None:
                removed += [key] if before else []
                continue
            # A body is written once: a later change of the entry writes its small row only.
            if before is None or before.message is not entry.message:
                content = write(entry.message, 0, entry.message.time_to_live, {}, None)
                contents.append((*key, content, zlib.crc32(content)))
            if before is None or _row(before) != _row(entry):
                rows.append((*key, *_row(entry)))
        with self._transaction():
            self._write_entries(removed, contents, rows)
            self._write_message_ids()
            numbers = [(last, queue) for queue, last in self._numbers.items()]
            self._database.executemany("UPDATE queue SET last_number = ? WHERE id = ?", numbers)
            self._database.executemany(
                "INSERT OR REPLACE INTO session_state VALUES (?, ?, ?, ?)",
                [(*key, one.state, one.updated_at) for key, one in self._session_states.items()],
            )
        self._mark_written()

    def _write_entries(
        self,
        removed: list[_Key],
        contents: list[tuple[int, int, bytes, int]],
        rows: list[tuple[int, int, *_Row]],
    ) -> None:
        many = self._database.executemany
        many("DELETE FROM entry WHERE queue = ? AND number = ?", removed)
        many("DELETE FROM message WHERE queue = ? AND number = ?", removed)
        many("INSERT OR REPLACE INTO message VALUES (?, ?, ?, ?)", contents)
        many("INSERT OR REPLACE INTO entry VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", rows)

    def _write_message_ids(self) -> None:
        many = self._database.executemany
        gone = [key for key, until in self._message_ids.items() if until is None]
        kept = [(*key, until) for key, until in self._message_ids.items() if until is not None]
        many("DELETE FROM seen WHERE queue = ? AND message_id = ?", gone)
        many("INSERT OR REPLACE INTO seen VALUES (?, ?, ?)", kept)

    def _mark_written(self) -> None:
        """Take what was recorded for what is written."""
        for key, entry in self._entries.items():
            if entry is None:
                self._written.pop(key, None)
            else:
                self._written[key] = entry
        self._entries.clear()
        self._message_ids.clear()
        self._numbers.clear()
        self._session_states.clear()

    # Queues that come and go

    def _known(self) -> set[str]:
        return {name for (name,) in self._database.execute("SELECT name FROM queue")}

    def _refuse_orphans(self, deployed: set[str]) -> None:
        found = self._database.execute(
            "SELECT name, count(*) FROM queue JOIN entry ON queue.id = entry.queue GROUP BY name"
        )
        held: Counter[str] = Counter()
        for name, count in found:
            if name not in deployed:
                held[parse_address(name).entity] += count
        if held:
            names = ", ".join(f"{name} with {count} messages" for name, count in held.items())
            raise JournalError(
                self.path,
                f"queues that the deployment does not have: {names}; start a deployment that has "
                "them, or remove the file with all messages in it",
            )

    def _forget_queue(self, name: str) -> None:
        execute = self._database.execute
        for table in ("seen", "session_state"):
            execute(
                f"DELETE FROM {table} WHERE queue IN (SELECT id FROM queue WHERE name = ?)",  # noqa: S608 - two names from here
                (name,),
            )
        execute("DELETE FROM queue WHERE name = ?", (name,))

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        self._database.execute("BEGIN IMMEDIATE")
        try:
            yield
            self._database.execute("COMMIT")
        except BaseException:
            if self._database.in_transaction:
                self._database.execute("ROLLBACK")
            raise

    @contextmanager
    def _naming_the_file(self, what: str) -> Iterator[None]:
        try:
            yield
        except (sqlite3.Error, OSError) as error:
            raise JournalError(self.path, f"{what}: {error}") from error


class QueueJournal:
    """The part of a journal that belongs to one queue, as the recorder of its store."""

    def __init__(self, journal: Journal, queue: int) -> None:
        self._journal = journal
        self._queue = queue

    def load(self) -> Saved:
        """Read what the queue held; a message that was locked has an expired lock."""
        return self._journal.load(self._queue)

    def entry(self, number: int, entry: QueueEntry | None) -> None:
        """Record an entry, or None for a number that is no longer there."""
        self._journal.note_entry((self._queue, number), entry)

    def message_id(self, message_id: str, until: float | None) -> None:
        """Record a message id, or None for one that has expired."""
        self._journal.note_message_id(self._queue, message_id, until)

    def number(self, last: int) -> None:
        """Record the last sequence number that was assigned."""
        self._journal.note_number(self._queue, last)

    def session_state(self, session_id: str, state: SessionState) -> None:
        """Record the state of a message session."""
        self._journal.note_session_state(self._queue, session_id, state)


_REMEDY = "without the file the bus starts empty"


def _row(entry: QueueEntry) -> _Row:
    return (
        entry.enqueued_at,
        int(entry.state),
        entry.delivery_count,
        entry.time_to_live,
        entry.lock is not None,
        entry.enqueued_sequence_number,
        entry.dead_letter_source,
    )


def _entry(
    number: int,
    message: Message,
    enqueued_at: float,
    state: int,
    delivery_count: int,
    time_to_live: float | None,
    locked: int,
    origin: int | None,
    source: str | None,
) -> QueueEntry:
    return QueueEntry(
        number,
        message,
        enqueued_at,
        EntryState(state),
        delivery_count,
        time_to_live,
        # Its receiver is gone: as after any lost lock, the delivery counts as failed.
        MessageLock(uuid4(), -math.inf) if locked else None,
        origin,
        source,
    )
