"""A SQLite file as if it were a database server at some distance.

There is no connection that could be delayed, so each call that the ledger's connection hands to its
thread is. What PostgreSQL needs as round trips is the same: one for a statement that is a
transaction by itself, for any number of rows; otherwise one for BEGIN, for each statement, and for
COMMIT or ROLLBACK. What an app does is the same.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from shared.ledger.sqlite_connection import SqliteConnection


def move_away(round_trip: float) -> None:
    """Let each round trip of the ledger in a SQLite file take `round_trip` seconds more.

    It holds for this process. Opening a connection takes no longer.
    """
    call = SqliteConnection.call

    async def delayed(connection: SqliteConnection, statement: Callable[..., Any]) -> Any:
        await asyncio.sleep(round_trip)
        return await call(connection, statement)

    SqliteConnection.call = delayed  # type: ignore[assignment, method-assign]
