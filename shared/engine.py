"""An engine for the URL of a database: its driver, its TLS, its time limits."""

from __future__ import annotations

import ssl
from pathlib import Path
from typing import Any

from sqlalchemy import URL, event, make_url
from sqlalchemy.exc import ArgumentError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

_CONNECT_SECONDS = 5.0
_STATEMENT_SECONDS = 15.0
_CONNECTIONS = 5


def engine_of(
    value: str, authorities: Path | None = None, seconds: float | None = None
) -> AsyncEngine:
    """Make the engine of a URL; a statement may take `seconds`, or what a request can wait.

    `authorities` is a PEM file of those to trust for TLS, instead of the public ones. Raises
    `ValueError`, which never repeats the URL.
    """
    seconds = seconds or _STATEMENT_SECONDS
    try:
        url = make_url(value)
    except (ArgumentError, ValueError):
        url = None
    if url is not None and url.drivername == "sqlite+aiosqlite":
        return _sqlite(url, seconds)
    if url is not None and url.drivername == "postgresql+asyncpg":
        return _postgresql(url, seconds, authorities)
    raise ValueError("it is not a URL of sqlite+aiosqlite or postgresql+asyncpg")


def _sqlite(url: URL, seconds: float) -> AsyncEngine:
    engine = _engine(url, seconds, {"timeout": seconds})

    @event.listens_for(engine.sync_engine, "connect")
    def use_a_write_ahead_log(connection: Any, _: object) -> None:
        # Readers and the one writer do not wait for each other, in whatever process they are.
        cursor = connection.cursor()
        cursor.execute("PRAGMA journal_mode=WAL")
        cursor.close()

    return engine


def _postgresql(url: URL, seconds: float, authorities: Path | None) -> AsyncEngine:
    # A password travels: over TLS, with a server that proves who it is, unless whoever wrote the
    # URL says outright that there is none.
    verified = url.query.get("ssl") != "disable"
    arguments = {
        "ssl": ssl.create_default_context(cafile=authorities) if verified else False,
        "timeout": _CONNECT_SECONDS,
        "command_timeout": seconds,
        # What nobody waits for any more must not hold rows on the server.
        "server_settings": {"statement_timeout": str(int(seconds * 1000))},
    }
    return _engine(url.difference_update_query(["ssl"]), seconds, arguments)


def _engine(url: URL, seconds: float, arguments: dict[str, Any]) -> AsyncEngine:
    return create_async_engine(
        url,
        connect_args=arguments,
        hide_parameters=True,
        pool_pre_ping=True,
        pool_size=_CONNECTIONS,
        max_overflow=0,
        pool_timeout=seconds,
    )
