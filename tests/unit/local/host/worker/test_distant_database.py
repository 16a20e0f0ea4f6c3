"""A SQLite file as far away as a server: later, and otherwise the same."""

from __future__ import annotations

import asyncio
from pathlib import Path

import aiosqlite
import pytest

from local.host.worker.distant_database import move_away

ROUND_TRIP = 7.0


async def test_each_statement_and_commit_is_a_round_trip(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    slept: list[float] = []
    sleep = asyncio.sleep

    async def note(seconds: float) -> None:
        slept.append(seconds)
        await sleep(0)

    for kind, names in (
        (aiosqlite.Cursor, ("execute", "executemany")),
        (aiosqlite.Connection, ("commit", "rollback")),
    ):
        for name in names:
            monkeypatch.setattr(kind, name, getattr(kind, name))
    monkeypatch.setattr("local.host.worker.distant_database.asyncio.sleep", note)
    move_away(ROUND_TRIP)
    async with aiosqlite.connect(tmp_path / "file") as database, database.cursor() as cursor:
        await cursor.execute("CREATE TABLE t (n)")
        await cursor.executemany("INSERT INTO t VALUES (?)", [(1,), (2,)])
        await database.commit()
        await cursor.execute("SELECT sum(n) FROM t")
        assert await cursor.fetchone() == (3,)
        await database.rollback()
    assert slept == [ROUND_TRIP] * 5
