"""A SQLite file's connection: how often it goes to its thread, and what is a transaction."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from shared.ledger.database import Database
from shared.ledger.engine import POOL_SIZE, make_engine
from shared.ledger.entry import NewMessage
from shared.ledger.errors import LedgerError
from shared.ledger.ledger import Ledger
from shared.ledger.sqlite_connection import SqliteConnection
from shared.message.receipt import Receipt
from shared.message.state import State
from tests import databases
from tests.databases import Secret

NOW = datetime(2026, 3, 1, tzinfo=UTC)


def on_hand_over(monkeypatch: pytest.MonkeyPatch, note: Callable[[], None]) -> None:
    """Call `note` whenever a connection hands something to its thread."""
    execute = SqliteConnection._execute

    async def noted(connection: SqliteConnection, *given: object, **named: object) -> object:
        note()
        return await execute(connection, *given, **named)  # type: ignore[no-untyped-call]

    monkeypatch.setattr(SqliteConnection, "_execute", noted)


@pytest.fixture
async def engine(tmp_path: Path) -> AsyncIterator[AsyncEngine]:
    made = make_engine(f"sqlite+aiosqlite:///{tmp_path / 'file'}")
    async with made.begin() as connection:
        await connection.exec_driver_sql("CREATE TABLE t (n INTEGER NOT NULL)")
    yield made
    await made.dispose()


async def test_a_message_goes_to_the_thread_once_a_statement(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ledger = Ledger(Secret(await databases.sqlite(tmp_path)))
    await ledger.accept(NewMessage("first", "text/plain", 1, NOW))
    seen: list[None] = []
    on_hand_over(monkeypatch, lambda: seen.append(None))
    ids = [f"m{number}" for number in range(20)]
    for steps, expected in (
        ([ledger.accept(NewMessage("one", "text/plain", 1, NOW))], 1),
        ([ledger.queued("one", "v1", NOW)], 1),
        ([ledger.accept(NewMessage("one", "text/plain", 1, NOW))], 2),  # there already
        ([ledger.entry("one")], 1),
        ([ledger.accept(NewMessage(id_, "text/plain", 1, NOW)) for id_ in ids], 1),
        ([ledger.queued(id_, "v1", NOW) for id_ in ids], 1),
        ([ledger.record([Receipt(id_, State.DELIVERED, NOW) for id_ in ids])], 1),
    ):
        seen.clear()
        await asyncio.gather(*steps)
        assert len(seen) == expected
    await ledger.close()


async def test_what_comes_while_another_writes_goes_together(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = await databases.sqlite(tmp_path)
    ledger = Ledger(Secret(url))
    # Opens as many connections as work side by side below.
    await asyncio.gather(ledger.check(), ledger.counts())
    seen: list[None] = []
    on_hand_over(monkeypatch, lambda: seen.append(None))
    async with asyncio.TaskGroup() as calls:
        with databases.held(url):
            calls.create_task(ledger.accept(NewMessage("one", "text/plain", 1, NOW)))
            await asyncio.sleep(0.05)
            for id_ in ("two", "three"):
                calls.create_task(ledger.queued(id_, "v1", NOW))
                await asyncio.sleep(0.05)
    assert len(seen) == 2
    await ledger.close()


async def test_a_call_that_is_given_up_before_its_turn_writes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = await databases.sqlite(tmp_path)
    ledger = Ledger(Secret(url))
    await asyncio.gather(ledger.check(), ledger.counts())
    seen: list[None] = []
    on_hand_over(monkeypatch, lambda: seen.append(None))
    given_up: tuple[Callable[[], Coroutine[Any, Any, object]], ...] = (
        lambda: ledger.queued("two", "v1", NOW),
        lambda: ledger.accept(NewMessage("three", "text/plain", 1, NOW)),
    )
    for number, call in enumerate(given_up):
        seen.clear()
        writing = (
            ledger.record([Receipt("one", State.DELIVERED, NOW)])
            if number
            else ledger.accept(NewMessage("one", "text/plain", 1, NOW))
        )
        with databases.held(url):
            first = asyncio.create_task(writing)
            await asyncio.sleep(0.05)
            second = asyncio.create_task(call())
            await asyncio.sleep(0.05)
            second.cancel()
            await asyncio.wait([second])
        await first
        # Nor does it harm whoever comes next.
        await asyncio.gather(
            ledger.queued("one", "v1", NOW),
            ledger.accept(NewMessage(f"next{number}", "text/plain", 1, NOW)),
        )
        assert len(seen) == 3
    assert {entry.id for entry in await ledger.entries(None, None, 10)} == {
        *("one", "next0", "next1")
    }
    await ledger.close()


async def numbers(engine: AsyncEngine) -> list[int]:
    async with engine.connect() as connection:
        return [n for (n,) in await connection.execute(text("SELECT n FROM t ORDER BY n"))]


async def test_a_statement_is_a_transaction_by_itself(engine: AsyncEngine) -> None:
    async with engine.connect() as connection:
        await connection.execute(text("INSERT INTO t VALUES (1)"))
        await connection.execute(text("INSERT INTO t VALUES (:n)"), [{"n": 2}, {"n": 3}])
        assert await numbers(engine) == [1, 2, 3]
        await connection.rollback()
    assert await numbers(engine) == [1, 2, 3]


async def test_a_statement_for_many_rows_is_done_for_all_or_none(engine: AsyncEngine) -> None:
    async with engine.connect() as connection:
        with pytest.raises(IntegrityError):
            await connection.execute(text("INSERT INTO t VALUES (:n)"), [{"n": 1}, {"n": None}])
        await connection.execute(text("INSERT INTO t VALUES (:n)"), [{"n": 2}, {"n": 3}])
    assert await numbers(engine) == [2, 3]


@pytest.mark.parametrize("ends", ["commit", "rollback", "failure"])
async def test_what_is_begun_is_done_by_its_commit_alone(engine: AsyncEngine, ends: str) -> None:
    async with engine.connect() as connection:
        await connection.exec_driver_sql("BEGIN IMMEDIATE")
        await connection.execute(text("INSERT INTO t VALUES (1)"))
        await connection.execute(text("INSERT INTO t VALUES (:n)"), [{"n": 2}, {"n": 3}])
        assert await numbers(engine) == []
        if ends == "failure":
            with suppress(IntegrityError):
                await connection.execute(text("INSERT INTO t VALUES (NULL)"))
            await connection.rollback()
        else:
            await getattr(connection, ends)()
    assert await numbers(engine) == ([1, 2, 3] if ends == "commit" else [])


async def test_several_changes_are_made_together_or_not_at_all(tmp_path: Path) -> None:
    database = Database(Secret(await databases.sqlite(tmp_path)))

    async def write(connection: AsyncConnection) -> None:
        await connection.exec_driver_sql("CREATE TABLE one (n)")
        await connection.exec_driver_sql("CREATE TABLE messages (n)")  # there already

    async def tables(connection: AsyncConnection) -> int:
        found = await connection.scalar(text("SELECT count(*) FROM sqlite_master WHERE name='one'"))
        return int(found or 0)

    with pytest.raises(LedgerError):
        await database.run(write)
    assert await database.run(tables) == 0
    await database.close()


async def test_a_cancelled_transaction_is_nobody_elses(tmp_path: Path) -> None:
    database = Database(Secret(await databases.sqlite(tmp_path)))

    async def write(connection: AsyncConnection) -> None:
        await connection.exec_driver_sql("CREATE TABLE left_behind (n)")
        begun.set()
        await asyncio.Event().wait()

    async def read(connection: AsyncConnection) -> list[str]:
        return [*await connection.scalars(text("SELECT name FROM sqlite_master"))]

    for _ in range(POOL_SIZE + 1):
        begun = asyncio.Event()
        task = asyncio.create_task(database.run(write))
        await begun.wait()
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
    assert "left_behind" not in await database.run(read)
    await database.close()


async def test_a_transaction_cancelled_while_it_begins_locks_nobody_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = await databases.sqlite(tmp_path)
    database, engine = Database(Secret(url)), make_engine(url)

    async def write(connection: AsyncConnection) -> None:
        await connection.exec_driver_sql("CREATE TABLE begun (n)")

    async with engine.connect() as connection:
        await connection.exec_driver_sql("BEGIN IMMEDIATE")
        await database.run(read_nothing, is_one_change=True)
        begins = asyncio.Event()
        on_hand_over(monkeypatch, begins.set)
        waiting = asyncio.create_task(database.run(write))
        await begins.wait()
        waiting.cancel()
        await connection.rollback()
    with suppress(asyncio.CancelledError):
        await waiting
    await database.run(write)
    await database.close()
    await engine.dispose()


async def read_nothing(connection: AsyncConnection) -> None:
    """Have the pool open a connection."""
