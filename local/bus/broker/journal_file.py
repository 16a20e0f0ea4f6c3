"""The file of a journal: created, recognised, checked and compacted.

It is an SQLite database in WAL mode with synchronous=NORMAL: a commit is written to the operating
system at once and to the disk later. So it outlives the process however that ends; after a power
cut it is consistent, but the newest commits may be missing.

Source: sqlite.org, "Write-Ahead Logging", "PRAGMA synchronous".
"""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path

_APPLICATION = 0x52454C59
_VERSION = 1
_CHECKPOINT_PAGES = 4096  # each checkpoint waits for the disk, so it comes every 16 MiB only
_KEPT_WAL_BYTES = 32 * 1024 * 1024
_COMPACT_PAGES = 4096
_SCHEMA = f"""
BEGIN;
CREATE TABLE queue (
    id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, last_number INTEGER NOT NULL);
CREATE TABLE entry (
    queue INTEGER NOT NULL, number INTEGER NOT NULL, enqueued_at REAL NOT NULL,
    state INTEGER NOT NULL, delivery_count INTEGER NOT NULL, time_to_live REAL,
    locked INTEGER NOT NULL, origin INTEGER, source TEXT,
    PRIMARY KEY (queue, number)) WITHOUT ROWID;
CREATE TABLE message (
    queue INTEGER NOT NULL, number INTEGER NOT NULL,
    content BLOB NOT NULL, checksum INTEGER NOT NULL,
    PRIMARY KEY (queue, number));
-- The duplicate detection window.
CREATE TABLE seen (
    queue INTEGER NOT NULL, message_id TEXT NOT NULL, until REAL NOT NULL,
    PRIMARY KEY (queue, message_id)) WITHOUT ROWID;
PRAGMA application_id = {_APPLICATION};
PRAGMA user_version = {_VERSION};
COMMIT;
"""
_SESSION_STATES = """
CREATE TABLE IF NOT EXISTS session_state (
    queue INTEGER NOT NULL, session TEXT NOT NULL, state BLOB, updated_at REAL NOT NULL,
    PRIMARY KEY (queue, session)) WITHOUT ROWID
"""


def open_file(path: Path) -> sqlite3.Connection:
    """Open or create the file, for this process alone. Raises sqlite3.Error and OSError."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    # Created private; SQLite gives its other files the same mode.
    os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
    database = sqlite3.connect(path, isolation_level=None, timeout=0)
    try:
        database.execute("PRAGMA locking_mode = EXCLUSIVE")
        _check_kind(database)
        # Files of this version from before there were message sessions have no such table.
        database.execute(_SESSION_STATES)
        database.execute("PRAGMA journal_mode = WAL")
        database.execute("PRAGMA synchronous = NORMAL")
        database.execute(f"PRAGMA wal_autocheckpoint = {_CHECKPOINT_PAGES}")
        database.execute(f"PRAGMA journal_size_limit = {_KEPT_WAL_BYTES}")
        _compact(database)
    except BaseException:
        database.close()
        raise
    return database


def _check_kind(database: sqlite3.Connection) -> None:
    kind, version, tables = (_number(database, sql) for sql in _KIND)
    if (kind, version, tables) == (0, 0, 0):
        database.executescript(_SCHEMA)
    elif (kind, version) != (_APPLICATION, _VERSION):
        raise sqlite3.DatabaseError("it is not a journal of this version")
    (found,) = database.execute("PRAGMA quick_check(1)").fetchone()
    if found != "ok":
        raise sqlite3.DatabaseError(f"it is damaged ({found})")


_KIND = ("PRAGMA application_id", "PRAGMA user_version", "SELECT count(*) FROM sqlite_master")


def _compact(database: sqlite3.Connection) -> None:
    """Make the file smaller when most of it is free space."""
    free, pages = (_number(database, sql) for sql in ("PRAGMA freelist_count", "PRAGMA page_count"))
    if free > _COMPACT_PAGES and free > pages // 2:
        database.execute("VACUUM")


def _number(database: sqlite3.Connection, sql: str) -> int:
    return int(database.execute(sql).fetchone()[0])
