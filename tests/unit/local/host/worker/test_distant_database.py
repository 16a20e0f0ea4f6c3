"""A SQLite file as far away as a server: later, and otherwise the same."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from sqlalchemy import make_url

from local.host.worker.distant_database import move_away
from shared.ledger.sqlite_connection import SqliteConnection, connect

ROUND_TRIP = 7.0


@pytest.fixture
async def connection(tmp_path: Path) -> AsyncIterator[SqliteConnection]:
    opened = await connect(make_url(f"sqlite+aiosqlite:///{tmp_path / 'file'}"), {})
    await opened.cursor().execute("CREATE TABLE t (n)")
    yield opened
    await opened.close()


@pytest.fixture
def slept(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Give what was slept, by a clock that does not make anybody wait."""
    seen: list[float] = []
    sleep = asyncio.sleep

    async def note(seconds: float) -> None:
        seen.append(seconds)
        await sleep(0)

    monkeypatch.setattr(SqliteConnection, "call", SqliteConnection.call)
    monkeypatch.setattr("local.host.worker.distant_database.asyncio.sleep", note)
    move_away(ROUND_TRIP)
    return seen


async def test_a_statement_that_is_a_transaction_by_itself_is_one_round_trip(
    connection: SqliteConnection, slept: list[float]
) -> None:
    cursor = connection.cursor()
    await cursor.execute("INSERT INTO t VALUES (1), (2) RETURNING n")
    assert await cursor.fetchall() == [(1,), (2,)]
    await cursor.close()
    await connection.commit()
    await connection.rollback()
    assert slept == [ROUND_TRIP]
    await connection.cursor().executemany("INSERT INTO t VALUES (?)", [(3,), (4,)])
    assert slept == [ROUND_TRIP] * 2


@pytest.mark.parametrize("end", ["commit", "rollback"])
async def test_of_a_longer_transaction_its_begin_and_its_end_are_round_trips_as_well(
    connection: SqliteConnection, slept: list[float], end: str
) -> None:
    await connection.cursor().execute("BEGIN IMMEDIATE")
    await connection.cursor().executemany("INSERT INTO t VALUES (?)", [(1,), (2,)])
    await connection.cursor().execute("SELECT n FROM t")
    await getattr(connection, end)()
    assert slept == [ROUND_TRIP] * 4
