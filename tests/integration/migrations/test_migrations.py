"""The migrations make the table that the ledger writes, once, on both databases."""

from __future__ import annotations

import asyncio
import traceback
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Connection

from migrations import Upgraded, upgrade
from shared.ledger.engine import make_engine
from shared.ledger.errors import LedgerUnavailableError
from shared.ledger.ledger import Ledger
from shared.ledger.table import metadata
from shared.message.state import State
from tests import databases
from tests.postgres import Postgres


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A database with nothing in it."""
    if request.param == "sqlite":
        return f"sqlite+aiosqlite:///{tmp_path / 'file'}"
    server: Postgres = request.getfixturevalue("postgres")
    name = f"m{tmp_path.name.encode().hex()[:50]}"
    asyncio.run(databases.run(server.url(), f"CREATE DATABASE {name}"))
    return server.url(name)


def test_what_they_make_is_what_the_ledger_says(url: str) -> None:
    def differences(connection: Connection) -> list[Any]:
        options = {"compare_type": True, "compare_server_default": True}
        return list(
            compare_metadata(MigrationContext.configure(connection, opts=options), metadata)
        )

    async def compare() -> list[Any]:
        engine = make_engine(url)
        async with engine.connect() as connection:
            found = await connection.run_sync(differences)
        await engine.dispose()
        return found

    upgrade(url)
    assert asyncio.run(compare()) == []


def test_several_at_once_do_it_once(url: str) -> None:
    with ThreadPoolExecutor(8) as threads:
        done = list(threads.map(upgrade, [url] * 8))
    assert sorted(one.before is None for one in done) == [False] * 7 + [True]
    assert {one.after for one in done} == {"0003"}
    assert upgrade(url) == Upgraded("0003", "0003")


def test_one_that_fails_leaves_nothing_behind(url: str) -> None:
    asyncio.run(databases.run(url, "CREATE TABLE other (id integer)"))
    asyncio.run(databases.run(url, "CREATE INDEX messages_by_time ON other (id)"))
    with pytest.raises(LedgerUnavailableError) as caught:
        upgrade(url)
    assert url not in "".join(traceback.format_exception(caught.value))
    asyncio.run(databases.run(url, "DROP TABLE other"))
    assert upgrade(url) == Upgraded(None, "0003")


def test_a_url_that_is_none_is_refused_without_being_repeated() -> None:
    with pytest.raises(ValueError, match="is not a URL of") as caught:
        upgrade("mysql://relay:planted@localhost/x")
    assert "planted" not in str(caught.value)


_OLD_ROW = """
    INSERT INTO messages (id, state, attempts, replay, state_at, first_seen_at)
    VALUES ('a', 'delivered', 1, 0, '2026-01-01T00:00:00.000000Z', '2026-01-01T00:00:00.000000Z')
"""


def test_a_ledger_of_the_first_version_keeps_its_rows(url: str) -> None:
    upgrade(url, to="0001")
    asyncio.run(databases.run(url, _OLD_ROW))
    assert upgrade(url) == Upgraded("0001", "0003")

    async def listed() -> list[str]:
        ledger = Ledger(databases.Secret(url))
        found = [entry.id for entry in await ledger.entries(State.DELIVERED, None, 10)]
        await ledger.close()
        return found

    assert asyncio.run(listed()) == ["a"]
