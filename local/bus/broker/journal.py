"""What a bus holds, kept in a file, so that a killed process loses nothing it acknowledged.

Durable means handed to the operating system: it outlives the process, but not a power cut.
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
from local.bus.broker.journal_file import open_file
from local.bus.broker.queue import DEAD_LETTER_SUFFIX
from local.bus.broker.store import EntryState, MessageLock, QueueEntry, Saved

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
        self._seen: dict[tuple[int, str], float | None] = {}
        self._numbers: dict[int, int] = {}
        self._ids: dict[str, int] = {}
        with self._telling(f"cannot be opened ({_WAY_OUT})"):
            self._database = open_file(path)
        self._is_open = True

    def open_queues(self, names: Iterable[str]) -> None:
        """Take the queues that there are from now on.

        Forgets any other one, unless that holds messages: they are never dropped silently.
        """
        with self._telling(f"cannot be read ({_WAY_OUT})"), self._transaction():
            wanted = {name.lower() for name in names}
            self._refuse_orphans(wanted)
            for name in self._known() - wanted:
                self._forget_queue(name)
            for name in wanted - self._known():
                self._database.execute(
                    "INSERT INTO queue (name, last_number) VALUES (?, 0)", (name,)
                )
            self._ids = dict(self._database.execute("SELECT name, id FROM queue"))

    def queue(self, name: str) -> QueueJournal:
        """Give the part of one queue."""
        return QueueJournal(self, self._ids[name.lower()])

    def commit(self) -> None:
        """Write what changed. On JournalError nothing is lost: the next commit tries again."""
        if self._entries or self._seen or self._numbers:
            with self._telling("cannot be written"):
                self._write()

    def close(self) -> None:
        """Write what changed, all of it to the disk, and close the file; again does nothing."""
        if self._is_open:
            self._is_open = False
            try:
                self.commit()
            finally:
                self._database.close()

    # What queues tell

    def note_entry(self, key: _Key, entry: QueueEntry | None) -> None:
        """Note what an entry is from now on; None for one that is gone."""
        self._entries[key] = entry

    def note_seen(self, queue: int, message_id: str, until: float | None) -> None:
        """Note until when a message id is remembered; None for one that no longer is."""
        self._seen[queue, message_id] = until

    def note_number(self, queue: int, last: int) -> None:
        """Note the last sequence number given."""
        self._numbers[queue] = last

    # Reading

    def load(self, queue: int) -> Saved:
        """Read what a queue held at the last commit."""
        with self._telling(f"cannot be read ({_WAY_OUT})"):
            entries = tuple(self._load_entries(queue))
            seen = self._database.execute(
                "SELECT message_id, until FROM seen WHERE queue = ? ORDER BY until", (queue,)
            ).fetchall()
            (last,) = self._database.execute(
                "SELECT last_number FROM queue WHERE id = ?", (queue,)
            ).fetchone()
            return Saved(entries, tuple(seen), last)

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
        raise JournalError(self.path, f"message {number} in it is damaged; {_WAY_OUT}")

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
            # A body is written once: what happens to a message later changes its small row only.
            if before is None or before.message is not entry.message:
                content = write(entry.message, 0, entry.message.time_to_live, {}, None)
                contents.append((*key, content, zlib.crc32(content)))
            if before is None or _row(before) != _row(entry):
                rows.append((*key, *_row(entry)))
        with self._transaction():
            self._write_entries(removed, contents, rows)
            self._write_seen()
            numbers = [(last, queue) for queue, last in self._numbers.items()]
            self._database.executemany("UPDATE queue SET last_number = ? WHERE id = ?", numbers)
        self._settle()

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

    def _write_seen(self) -> None:
        many = self._database.executemany
        gone = [key for key, until in self._seen.items() if until is None]
        kept = [(*key, until) for key, until in self._seen.items() if until is not None]
        many("DELETE FROM seen WHERE queue = ? AND message_id = ?", gone)
        many("INSERT OR REPLACE INTO seen VALUES (?, ?, ?)", kept)

    def _settle(self) -> None:
        """Take what was noted for what is written."""
        for key, entry in self._entries.items():
            if entry is None:
                self._written.pop(key, None)
            else:
                self._written[key] = entry
        self._entries.clear()
        self._seen.clear()
        self._numbers.clear()

    # Queues that come and go

    def _known(self) -> set[str]:
        return {name for (name,) in self._database.execute("SELECT name FROM queue")}

    def _refuse_orphans(self, wanted: set[str]) -> None:
        found = self._database.execute(
            "SELECT name, count(*) FROM queue JOIN entry ON queue.id = entry.queue GROUP BY name"
        )
        held: Counter[str] = Counter()
        for name, count in found:
            if name not in wanted:
                held[name.removesuffix(DEAD_LETTER_SUFFIX.lower())] += count
        if held:
            told = ", ".join(f"{name} with {count} messages" for name, count in held.items())
            raise JournalError(
                self.path,
                f"queues that the deployment does not have: {told}; start a deployment that has "
                "them, or remove the file with all messages in it",
            )

    def _forget_queue(self, name: str) -> None:
        execute = self._database.execute
        execute("DELETE FROM seen WHERE queue IN (SELECT id FROM queue WHERE name = ?)", (name,))
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
    def _telling(self, what: str) -> Iterator[None]:
        try:
            yield
        except (sqlite3.Error, OSError) as error:
            raise JournalError(self.path, f"{what}: {error}") from error


class QueueJournal:
    """The part of a journal that belongs to one queue, as its store wants it."""

    def __init__(self, journal: Journal, queue: int) -> None:
        self._journal = journal
        self._queue = queue

    def load(self) -> Saved:
        """Read what the queue held; a message that was locked has a lock that has ended."""
        return self._journal.load(self._queue)

    def entry(self, number: int, entry: QueueEntry | None) -> None:
        """Note an entry, or that there is none of that number."""
        self._journal.note_entry((self._queue, number), entry)

    def message_id(self, message_id: str, until: float | None) -> None:
        """Note a message id, or that it is forgotten."""
        self._journal.note_seen(self._queue, message_id, until)

    def number(self, last: int) -> None:
        """Note the last sequence number given."""
        self._journal.note_number(self._queue, last)


_WAY_OUT = "without the file the bus starts empty"


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
        # Its receiver is gone: as after any lost lock, the delivery counts and came to nothing.
        MessageLock(uuid4(), -math.inf) if locked else None,
        origin,
        source,
    )
