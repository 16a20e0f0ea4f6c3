"""Which pooled connections still lead to their database, looked at when one is taken.

A ping before each use costs more than the use: three round trips of the driver, for a statement of
one. So a connection that was in use a moment ago is taken at its word, unless its socket is closed;
where that is wrong, the one statement fails, and the pool lets go of it.
"""

from __future__ import annotations

import time
from typing import Any

from sqlalchemy import event
from sqlalchemy.exc import InvalidatePoolError
from sqlalchemy.ext.asyncio import AsyncEngine
from sqlalchemy.pool import ConnectionPoolEntry

PING_AFTER_SECONDS = 5.0
_LAST_USE = "last_use"


def ping_idle_connections(engine: AsyncEngine) -> None:
    """Have what was idle pinged when it is taken, and what does not answer opened anew."""
    dialect = engine.sync_engine.dialect

    @event.listens_for(engine.sync_engine, "connect")
    def connected(_: Any, entry: ConnectionPoolEntry) -> None:
        entry.info[_LAST_USE] = time.monotonic()

    @event.listens_for(engine.sync_engine, "checkin")
    def returned(_: Any, entry: ConnectionPoolEntry) -> None:
        entry.info[_LAST_USE] = time.monotonic()

    @event.listens_for(engine.sync_engine, "checkout")
    def taken(connection: Any, entry: ConnectionPoolEntry, _: Any) -> None:
        if _is_closed(connection):
            raise InvalidatePoolError
        if time.monotonic() - entry.info[_LAST_USE] < PING_AFTER_SECONDS:
            return
        try:
            dialect.do_ping(connection)
        except dialect.loaded_dbapi.Error:
            # Not this connection alone: the others lead to the same server, which has ended them
            # at the same moment.
            raise InvalidatePoolError from None


def _is_closed(connection: Any) -> bool:
    # asyncpg knows when its server has closed the socket; SQLite has none.
    is_closed = getattr(connection.driver_connection, "is_closed", None)
    return bool(is_closed and is_closed())
