"""What the documents say that a row takes is what it takes in PostgreSQL."""

from __future__ import annotations

import asyncio
import uuid
from datetime import UTC, datetime, timedelta

import pytest

from checks.ledger_size import KEY_BYTES, ROW_BYTES, TOMBSTONE_BYTES
from shared.ledger.engine import make_engine
from shared.ledger.entry import NewMessage
from shared.ledger.ledger import Ledger
from shared.ledger.pruning import RetainedLedger
from shared.message.receipt import Receipt
from shared.message.state import State
from tests import databases
from tests.databases import Secret
from tests.postgres import Postgres

COUNT = 3000
KEY_VERSION = uuid.uuid4().hex
START = datetime(2026, 1, 1, tzinfo=UTC)
SIZE = "SELECT pg_total_relation_size('messages')"


async def bytes_of_a_row(url: str) -> float:
    engine = make_engine(url)
    async with engine.connect() as connection:
        size: int = (await connection.exec_driver_sql(SIZE)).scalar_one()
    await engine.dispose()
    return size / COUNT


async def deliver(ledger: Ledger, number: int) -> None:
    at, id_ = START + timedelta(seconds=number), str(uuid.uuid4())
    kind = "application/json"
    await ledger.accept(NewMessage(id_, kind, 1000, at, number.to_bytes(32)))
    await ledger.queued(id_, KEY_VERSION, at)
    receipt = Receipt(
        *(id_, State.DELIVERED, at, 1), key_version=KEY_VERSION, content_type=kind, size=1000
    )
    await ledger.record([receipt])


async def test_a_row_and_a_tombstone_take_what_the_document_says(postgres: Postgres) -> None:
    url = await databases.postgresql(postgres)
    ledger, retained = Ledger(Secret(url)), RetainedLedger(Secret(url))
    for first in range(0, COUNT, 500):
        await asyncio.gather(*(deliver(ledger, first + number) for number in range(500)))
        await databases.run(url, "VACUUM messages")
    # The space of the last updates, not yet used again, counts for more in so small a table.
    assert await bytes_of_a_row(url) == pytest.approx(ROW_BYTES + KEY_BYTES, rel=0.35)
    after = START + timedelta(days=100)
    batch = await retained.prune(State.DELIVERED, after, START, None, COUNT)
    assert batch.tombstones == COUNT
    await databases.run(url, "VACUUM FULL messages")
    assert await bytes_of_a_row(url) == pytest.approx(TOMBSTONE_BYTES, rel=0.2)
    await ledger.close()
    await retained.close()
