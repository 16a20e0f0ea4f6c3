"""Databases for tests of the ledger: each new, with the schema that the migration makes."""

from __future__ import annotations

import sqlite3
import uuid
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from migrations import upgrading
from shared.ledger.engine import make_engine
from tests.postgres import Postgres

# Nobody listens there, and nobody can: it is for multiplexing.
AWAY = "postgresql+asyncpg://relay:planted@127.0.0.1:1/relay?ssl=disable"


class Secret:
    """A secret whose value is changed by hand. `stale` is what is given until it is forgotten."""

    url = "https://vault.example/secrets/database-connection"

    def __init__(self, text: str) -> None:
        self.text = text
        self.stale: str | None = None
        self.forgotten = 0

    async def value(self) -> str:
        return self.stale or self.text

    def forget(self, value: str) -> None:
        self.forgotten += 1
        if self.stale == value:
            self.stale = None


async def sqlite(folder: Path) -> str:
    """Make a database in a file; return its URL."""
    url = f"sqlite+aiosqlite:///{folder / f'{uuid.uuid4().hex}.sqlite3'}"
    await upgrading(url)
    return url


async def postgresql(server: Postgres) -> str:
    """Make a database on a server; return its URL."""
    name = f"d{uuid.uuid4().hex}"
    await run(server.url(), f"CREATE DATABASE {name}")
    await upgrading(server.url(name))
    return server.url(name)


async def run(url: str, *statements: str) -> None:
    """Run statements, each for itself and outside of any transaction."""
    engine = make_engine(url, seconds=600)
    try:
        async with engine.connect() as connection:
            alone = await connection.execution_options(isolation_level="AUTOCOMMIT")
            for statement in statements:
                await alone.exec_driver_sql(statement)
    finally:
        await engine.dispose()


@contextmanager
def held(url: str) -> Iterator[None]:
    """Let nobody write to the SQLite file of a URL meanwhile."""
    with closing(sqlite3.connect(url.partition(":///")[2], isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        yield
        other.rollback()
