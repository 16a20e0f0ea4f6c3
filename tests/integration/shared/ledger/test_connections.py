"""Which pooled connections are kept, on a real PostgreSQL: not those that can do nothing more."""

from __future__ import annotations

import asyncio
import re
import struct
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

import shared.ledger.engine
from shared.ledger.database import Database
from shared.ledger.errors import LedgerError, LedgerUnavailableError, PoolerRefusedError
from tests import databases
from tests.databases import Secret
from tests.postgres import Postgres
from tests.tcp import Handler, forward, serving

_FATAL = b"SFATAL\0C08P01\0Munsupported startup parameter: statement_timeout\0\0"


@pytest.fixture
async def url(postgres: Postgres) -> str:
    return await databases.postgresql(postgres)


@pytest.fixture
async def database(url: str) -> AsyncIterator[Database]:
    made = Database(Secret(url))
    yield made
    await made.close()


async def process(connection: AsyncConnection) -> int:
    found = await connection.execute(text("SELECT pg_backend_pid()"))
    return int(found.scalar_one())


async def write(connection: AsyncConnection) -> None:
    await connection.execute(text("CREATE TABLE IF NOT EXISTS written (a int)"))


def raising(code: str) -> Callable[[AsyncConnection], Awaitable[None]]:
    async def work(connection: AsyncConnection) -> None:
        statement = f"DO $$ BEGIN RAISE EXCEPTION 'planted' USING ERRCODE = '{code}'; END $$"
        await connection.exec_driver_sql(statement)

    return work


@pytest.mark.parametrize(
    "code", ["08006", "25006", "26000", "42P05", "57P01", "57P03", "58030", "XX000"]
)
async def test_a_connection_is_dropped_after_an_error_that_is_about_it(
    database: Database, code: str
) -> None:
    before = await database.run(process)
    with pytest.raises(LedgerUnavailableError, match=code):
        await database.run(raising(code))
    assert await database.run(process) != before


@pytest.mark.parametrize("code", ["22003", "23505", "40001", "42P01", "57014"])
async def test_a_connection_is_kept_after_any_other(database: Database, code: str) -> None:
    before = await database.run(process)
    with pytest.raises(LedgerError):
        await database.run(raising(code))
    assert await database.run(process) == before


async def test_all_connections_that_went_read_only_are_dropped_with_the_first(
    database: Database, url: str, postgres: Postgres
) -> None:
    name = url.partition("?")[0].rpartition("/")[2]

    async def together(_: AsyncConnection) -> None:
        everyone.append(None)
        if len(everyone) == shared.ledger.engine.POOL_SIZE:
            filled.set()
        await filled.wait()

    # The pool is filled while the server is read-only, as a primary is that became a standby.
    everyone: list[None] = []
    filled = asyncio.Event()
    await databases.run(
        postgres.url(), f"ALTER DATABASE {name} SET default_transaction_read_only = on"
    )
    await asyncio.gather(*(database.run(together) for _ in range(shared.ledger.engine.POOL_SIZE)))
    await databases.run(
        postgres.url(), f"ALTER DATABASE {name} RESET default_transaction_read_only"
    )
    with pytest.raises(LedgerUnavailableError, match="25006"):
        await database.run(write)
    for _ in range(shared.ledger.engine.POOL_SIZE):
        await database.run(write)


async def test_statements_that_the_server_has_forgotten_are_prepared_anew(
    database: Database,
) -> None:
    async def forget(connection: AsyncConnection) -> None:
        await connection.exec_driver_sql("DEALLOCATE ALL")

    await database.run(process)
    with suppress(LedgerUnavailableError):
        await database.run(forget)
    with suppress(LedgerUnavailableError):
        await database.run(process)
    assert await database.run(process)


async def test_a_connection_grows_no_older_than_its_limit(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shared.ledger.engine, "_LONGEST_LIFE_SECONDS", 0)
    database = Database(Secret(url))
    try:
        assert await database.run(process) != await database.run(process)
    finally:
        await database.close()


def pooler(server: int | None) -> Handler:
    """Return what a pooler does: refuse a startup parameter, or leave it out."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        (size,) = struct.unpack("!I", await reader.readexactly(4))
        startup = await reader.readexactly(size - 4)
        if server is None:
            writer.write(b"E" + struct.pack("!I", len(_FATAL) + 4) + _FATAL)
            await writer.drain()
        else:
            startup = re.sub(rb"statement_timeout\0\d+\0", b"", startup)
            first = struct.pack("!I", len(startup) + 4) + startup
            await forward(reader, writer, server, first)

    return serve


@pytest.mark.parametrize("refuses", [True, False])
async def test_a_pooler_is_refused_with_what_to_do(
    url: str, postgres: Postgres, refuses: bool
) -> None:
    async with serving(pooler(None if refuses else postgres.port)) as port:
        database = Database(Secret(url.replace(f":{postgres.port}/", f":{port}/")))
        with pytest.raises(PoolerRefusedError, match="name the server itself"):
            await database.run(process)
        await database.close()


async def test_a_server_with_limits_of_its_own_is_not_taken_for_a_pooler(
    url: str, postgres: Postgres
) -> None:
    name = url.partition("?")[0].rpartition("/")[2]
    await databases.run(postgres.url(), f"ALTER DATABASE {name} SET statement_timeout = '1h'")
    database = Database(Secret(url))
    assert await database.run(process)
    await database.close()
