"""A cloud whose ledger is in each of its databases in turn."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator

import pytest

import migrations
from tests import postgres
from tests.pipeline.cloud_process import SNAPSHOT, Running, running, with_settings

SETTINGS = {
    "sender": {"RELAY_DATABASE_SECRET_SECONDS": "1"},
    "receiver": {"RELAY_RETRY_SCHEDULE": "1s,1s", "RELAY_WAIT_SECONDS": "1"},
    "tracker": {"RELAY_DATABASE_SECRET_SECONDS": "1", "RELAY_RECEIPT_WAIT_SECONDS": "1"},
}


# SQLite's is the ledger of all other tests of the pipeline.
@pytest.fixture(
    scope="module", params=[pytest.param("sqlite", marks=pytest.mark.long), "postgresql"]
)
def database(request: pytest.FixtureRequest) -> Iterator[str | None]:
    """Give the URL of a database with a ledger in it; None for the local cloud's own."""
    if request.param == "sqlite":
        yield None
        return
    try:
        with postgres.running() as server:
            migrations.upgrade(server.url())
            yield server.url()
    except postgres.NoPostgresError as error:
        pytest.skip(str(error))


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory, database: str | None) -> Iterator[Running]:
    folder = tmp_path_factory.mktemp("cloud")
    with running(folder / "folder", with_settings(SNAPSHOT, folder, **SETTINGS)) as up:
        if database:
            asyncio.run(up.database(database))
            asyncio.run(up.control("POST", "/apps/sender/restart"))
            asyncio.run(up.control("POST", "/apps/tracker/restart"))
        yield up


@pytest.fixture
def url(cloud: Running, database: str | None) -> str:
    """Give the URL of the ledger that is in use."""
    return database or f"sqlite+aiosqlite:///{cloud.folder / 'database.sqlite3'}"


@pytest.fixture(autouse=True)
async def healed(cloud: Running) -> AsyncIterator[None]:
    yield
    await cloud.heal()
