"""The ledger's two databases."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from shared.ledger.ledger import Ledger
from tests import databases
from tests.databases import Secret
from tests.postgres import Postgres


@pytest.fixture(params=["sqlite", "postgresql"])
async def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return await databases.sqlite(tmp_path)
    server: Postgres = request.getfixturevalue("postgres")
    return await databases.postgresql(server)


@pytest.fixture
async def ledger(database_url: str) -> AsyncIterator[Ledger]:
    ledger = Ledger(Secret(database_url))
    yield ledger
    await ledger.close()
