"""An engine for the URL of a database: its driver, its TLS, its time limits."""

from __future__ import annotations

import asyncio
import sqlite3
import ssl
import time
from pathlib import Path
from typing import Any

import aiosqlite
from sqlalchemy import URL, event, make_url
from sqlalchemy.exc import ArgumentError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from shared.ledger.server import PostgresServer

POOL_SIZE = 5
"""Connections that an engine has at most; `checks` counts those of all processes from it."""

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
    engine = _engine(url, seconds, {"timeout": seconds})

    @event.listens_for(engine.sync_engine, "connect")
    def prepare(connection: Any, _: object) -> None:
        connection.run_async(lambda driver: _use_a_write_ahead_log(driver, seconds))

    return engine


async def _use_a_write_ahead_log(connection: aiosqlite.Connection, seconds: float) -> None:
    """Readers and the one writer do not block each other, in any process."""
    until = time.monotonic() + seconds
    while True:
        try:
            await connection.execute_fetchall("PRAGMA journal_mode=WAL")
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
    arguments = {
        # Neither is ever None: the driver would then look for one in the environment and files.
        "password": server.url.password or "",
        "ssl": ssl.create_default_context(cafile=ca_file) if server.tls else False,
        "timeout": _CONNECT_SECONDS,
        "command_timeout": seconds,
        # An abandoned statement must not keep rows locked on the server.
        "server_settings": {"statement_timeout": str(int(seconds * 1000))},
    }
    return _engine(server.url, seconds, arguments)


def _engine(url: URL, seconds: float, arguments: dict[str, Any]) -> AsyncEngine:
    return create_async_engine(
        url,
        connect_args=arguments,
        hide_parameters=True,
        pool_pre_ping=True,
        pool_size=POOL_SIZE,
        max_overflow=0,
        pool_timeout=seconds,
    )
