"""An engine for the URL of a database: its driver, its TLS, its time limits."""

from __future__ import annotations

import asyncio
import sqlite3
import ssl
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy import URL, ExceptionContext, event, make_url
from sqlalchemy.exc import ArgumentError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from shared.ledger.errors import PoolerRefusedError
from shared.ledger.liveness import ping_idle_connections
from shared.ledger.server import PostgresServer
from shared.ledger.sqlstate import is_about_the_connection

if TYPE_CHECKING:
    import aiosqlite

POOL_SIZE = 5
"""Connections that an engine has at most; `checks` counts those of all processes from it."""

_LONGEST_LIFE_SECONDS = 900
"""How old a pooled connection gets, so that none outlives a change of the server for long."""

_CONNECT_SECONDS = 5.0
_STATEMENT_SECONDS = 15.0
_BUSY_SECONDS = 0.02


def make_engine(
    value: str, ca_file: Path | None = None, seconds: float | None = None
) -> AsyncEngine:
    """Make the engine of a URL; a statement may take `seconds`, or as long as a request can wait.

    `ca_file` is a PEM file of those to trust for TLS, instead of the public ones. Raises
    `ValueError`, which never repeats the URL.
    """
    seconds = seconds or _STATEMENT_SECONDS
    if not value.isprintable():
        raise ValueError("it has a control character in it, such as a newline")
    try:
        url = make_url(value)
    except (ArgumentError, ValueError):
        url = None
    if url is not None and url.drivername == "sqlite+aiosqlite":
        return _sqlite(url, seconds)
    if url is not None and url.drivername == "postgresql+asyncpg":
        return _postgresql(url, seconds, ca_file)
    raise ValueError("it is not a URL of sqlite+aiosqlite or postgresql+asyncpg")


def _sqlite(url: URL, seconds: float) -> AsyncEngine:
    async def connect() -> aiosqlite.Connection:
        from shared.ledger.sqlite_connection import connect

        return await connect(url, {"timeout": seconds})

    engine = _engine(url, seconds, async_creator=connect)

    @event.listens_for(engine.sync_engine, "connect")
    def prepare(connection: Any, _: object) -> None:
        connection.run_async(lambda driver: _use_a_write_ahead_log(driver, seconds))

    return engine


async def _use_a_write_ahead_log(connection: aiosqlite.Connection, seconds: float) -> None:
    """Readers and the one writer do not block each other, in any process.

    As in the local bus beside it, a commit outlives the process and not a power cut: waiting for
    the disk, which PostgreSQL does in a deployment, takes longer than all else of a message.
    Source: sqlite.org, "PRAGMA synchronous".
    """
    until = time.monotonic() + seconds
    while True:
        try:
            await connection.execute_fetchall("PRAGMA journal_mode=WAL")
            await connection.execute_fetchall("PRAGMA synchronous=NORMAL")
        except sqlite3.OperationalError as error:
            # Two connections that change a new file at once lock each other out, and SQLite
            # makes neither wait for the other, whatever its timeout.
            if not _is_busy(error) or time.monotonic() > until:
                raise
            await asyncio.sleep(_BUSY_SECONDS)
        else:
            return


def _is_busy(error: sqlite3.OperationalError) -> bool:
    return error.sqlite_errorcode & 0xFF == sqlite3.SQLITE_BUSY


def _postgresql(url: URL, seconds: float, ca_file: Path | None) -> AsyncEngine:
    server = PostgresServer.of(url)
    limit = str(int(seconds * 1000))
    arguments = {
        # Neither is ever None: the driver would then look for one in the environment and files.
        "password": server.url.password or "",
        "ssl": ssl.create_default_context(cafile=ca_file) if server.tls else False,
        "timeout": _CONNECT_SECONDS,
        "command_timeout": seconds,
        # An abandoned statement must not keep rows locked on the server.
        "server_settings": {"statement_timeout": limit},
    }
    engine = _engine(server.url, seconds, connect_args=arguments)
    event.listen(engine.sync_engine, "handle_error", _drop_connections)

    @event.listens_for(engine.sync_engine, "connect")
    def prepare(connection: Any, _: object) -> None:
        _refuse_a_pooler(connection, limit)

    return engine


def _drop_connections(context: ExceptionContext) -> None:
    """Let go of the pool's connections after an error that is about one of them."""
    error = context.original_exception
    if is_about_the_connection(getattr(error, "sqlstate", None)):
        # All of them, for the others lead to the same server: one that is read-only since a
        # fail-over answers, and would be kept for as long as it does.
        context.is_disconnect = True


def _refuse_a_pooler(connection: Any, limit: str) -> None:
    """Close a connection whose server does not have the time limit that it was opened with.

    A server takes it from the greeting, before what a role or database says otherwise. A pooler
    that is made to let it pass does not hand it on, because its connections serve everybody.
    """
    query = "SELECT setting FROM pg_settings WHERE name = 'statement_timeout'"
    ((setting,),) = connection.run_async(lambda driver: driver.fetch(query))
    if setting != limit:
        connection.driver_connection.terminate()
        raise PoolerRefusedError


def _engine(url: URL, seconds: float, **connecting: Any) -> AsyncEngine:
    engine = create_async_engine(
        url,
        **connecting,
        hide_parameters=True,
        pool_recycle=_LONGEST_LIFE_SECONDS,
        pool_size=POOL_SIZE,
        max_overflow=0,
        pool_timeout=seconds,
    )
    ping_idle_connections(engine)
    return engine
