from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from shared.ledger.background import BackgroundLedger
from shared.ledger.entry import NewMessage
from shared.message.receipt import Receipt
from shared.message.state import State
from tests import databases

NOW = datetime(2026, 3, 1, tzinfo=UTC)


async def test_a_ledger_that_loads_beside_its_app_does_what_the_ledger_does(
    tmp_path: Path,
) -> None:
    ledger = BackgroundLedger(databases.Secret(await databases.sqlite(tmp_path)))
    accepted = await ledger.accept(NewMessage("one", "a/b", 3, NOW))
    assert accepted.state is State.ACCEPTED
    await ledger.queued("one", "v1", NOW)
    assert (entry := await ledger.entry("one"))
    assert (entry.state, entry.key_version) == (State.QUEUED, "v1")
    await ledger.record([Receipt("one", State.DELIVERED, NOW, attempts=1)])
    (listed,) = await ledger.entries(State.DELIVERED, None, 10)
    assert listed.id == "one"
    await ledger.close()
