"""A connection to a SQLite file that goes to its thread once a statement, and not six times.

aiosqlite hands each call of its interface to another thread and waits for it: to make a cursor, to
execute, to fetch, to close the cursor, to commit, to roll back what is committed already. Each
costs more than SQLite's own part of a message. Here a statement and its rows are one of them.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

import aiosqlite

if TYPE_CHECKING:
    from sqlalchemy import URL

T = TypeVar("T")
_ROWS_OF_A_CHUNK = 64  # of what reads row by row, as aiosqlite has it by itself


class SqliteConnection(aiosqlite.Connection):
    """What SQLAlchemy's dialect of aiosqlite asks of a connection. It begins no transaction.

    As with PostgreSQL's driver, a statement outside of BEGIN and COMMIT is a transaction by itself,
    also for many rows (`executemany`).
    """

    def __init__(self, path: str, options: Mapping[str, Any]) -> None:
        def connect() -> sqlite3.Connection:
            made: sqlite3.Connection = sqlite3.connect(path, **options, isolation_level=None)
            return made

        super().__init__(connect, _ROWS_OF_A_CHUNK)
        # A connection that nobody closed must not keep the process.
        self._thread.daemon = True

    async def call(self, statement: Callable[[sqlite3.Connection], T]) -> T:
        """Return what `statement` returns, which runs in the connection's thread."""
        outcome: T = await self._execute(statement, self._conn)  # type: ignore[no-untyped-call]
        return outcome

    def cursor(self) -> SqliteCursor:  # type: ignore[override] # needs no thread, so no wait either
        """Return what executes a statement."""
        return SqliteCursor(self)

    async def commit(self) -> None:
        """Commit the transaction, if one was begun."""
        if self.in_transaction:
            await self.call(sqlite3.Connection.commit)

    async def rollback(self) -> None:
        """Roll the transaction back, if one was begun."""
        if self.in_transaction:
            await self.call(sqlite3.Connection.rollback)


class SqliteCursor:
    """Executes a statement and has all of its rows; what SQLAlchemy's dialect asks of a cursor."""

    description: Any = None
    rowcount = -1
    lastrowid: int | None = None
    arraysize = 1

    def __init__(self, connection: SqliteConnection) -> None:
        self._connection = connection
        self._rows: list[Any] = []

    async def __aenter__(self) -> SqliteCursor:
        return self

    async def execute(self, statement: str, parameters: Sequence[Any] = ()) -> None:
        """Execute a statement, and fetch its rows."""

        def execute(connection: sqlite3.Connection) -> tuple[sqlite3.Cursor, list[Any]]:
            cursor = connection.execute(statement, parameters)
            return cursor, cursor.fetchall()

        self._keep(*await self._connection.call(execute))

    async def executemany(self, statement: str, parameters: Sequence[Sequence[Any]]) -> None:
        """Execute a statement for each row of parameters: all or, when it raises, none."""

        def execute(connection: sqlite3.Connection) -> sqlite3.Cursor:
            if connection.in_transaction:
                return connection.executemany(statement, parameters)
            connection.execute("BEGIN IMMEDIATE")
            with connection:
                return connection.executemany(statement, parameters)

        self._keep(await self._connection.call(execute), [])

    async def fetchall(self) -> list[Any]:
        """Return the rows of the statement."""
        return self._rows

    async def close(self) -> None:
        """Do nothing: a cursor whose rows are fetched holds nothing."""

    def _keep(self, cursor: sqlite3.Cursor, rows: list[Any]) -> None:
        self.description, self.rowcount = cursor.description, cursor.rowcount
        self.lastrowid, self._rows = cursor.lastrowid, rows


async def connect(url: URL, options: Mapping[str, Any]) -> SqliteConnection:
    """Open the file of a URL of `sqlite+aiosqlite`; `options` are those of `sqlite3.connect`."""
    (path,), given = url.get_dialect()().create_connect_args(url)
    connection = SqliteConnection(path, {**given, **options})
    await connection
    return connection
