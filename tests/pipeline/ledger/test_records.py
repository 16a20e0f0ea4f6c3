"""What an operator removes of messages that have come to their end, and what stays of them.

On one of the ledger's databases: what it gives up is tested on both where it is decided.
"""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from azure.core.exceptions import AzureError
from azure.servicebus import ServiceBusMessage

from ops.erase import erase
from ops.prune import drop_rejected, prune
from ops.records import OFFICER, RecordsTarget
from shared.access.declaration import Declaration
from shared.azure.queues import BusError
from shared.ledger.errors import LedgerError
from shared.ledger.retention import Retention
from shared.message.receipt import Receipt
from shared.message.state import State
from tests import databases
from tests.pipeline.cloud_process import Running
from tests.pipeline.ledger.caller import new_key, post, taken, times_at_partner
from tests.pipeline.ops_cli import left, ops


@pytest.fixture(scope="module")
def database() -> None:
    """Leave the ledger where the local cloud has it."""


REFUSED = (AzureError, BusError, LedgerError)
OTHERS = sorted({*Declaration.load().operators} - {OFFICER})


@pytest.fixture(autouse=True)
def own_identity(monkeypatch: pytest.MonkeyPatch) -> None:
    """Put back who this process is."""
    for name in ("IDENTITY_ENDPOINT", "IDENTITY_HEADER"):
        monkeypatch.setenv(name, "")


async def delivered(cloud: Running, key: str | None = None) -> str:
    message_id = await taken(cloud, b"payload", key)
    await cloud.entry(message_id, "delivered")
    return message_id


async def rejected(cloud: Running, key: str | None = None) -> str:
    await cloud.fault(service="partner", answer="status", status=400, times=1)
    message_id = await taken(cloud, b"payload", key)
    await cloud.entry(message_id, "rejected")
    return message_id


# NULL stays NULL; whole seconds, in the form that the ledger writes.
_AGE = ", ".join(
    f"{name}_at = strftime('%Y-%m-%dT%H:%M:%S.000000Z', {name}_at, '-100 days')"
    for name in ("state", "first_seen", "accepted", "queued", "rejected", "delivered")
)


async def aged(url: str, *ids: str) -> None:
    """Have the ledger's rows of messages be 100 days older."""
    for id_ in ids:
        await databases.run(url, f"UPDATE messages SET {_AGE} WHERE id = '{id_}'")  # noqa: S608 - an id of this test


async def erased(cloud: Running, *ids: str) -> tuple[int, Any]:
    ended = await ops(cloud, "erase", *ids, "--yes", "--json")
    return ended.code, json.loads(ended.out)


@pytest.mark.long
async def test_a_key_sends_once_though_its_row_was_pruned(cloud: Running, url: str) -> None:
    key = new_key()
    keyed, plain, young = (
        await delivered(cloud, key),
        await delivered(cloud),
        await delivered(cloud),
    )
    waiting = await rejected(cloud)
    await aged(url, keyed, plain, waiting)
    done = await ops(cloud, "prune", "--json")
    assert (done.code, done.err) == (0, "")
    assert json.loads(done.out) == {
        "dropped": 0,
        "removed": 1,
        "tombstones": 1,
        "expired_tombstones": 0,
        "not_dropped": [],
        "not_final": {"rejected": 1},
    }
    assert (await cloud.ledger(f"/{plain}"))[0] == 404
    assert (await cloud.ledger(f"/{young}"))[0] == 200
    status, content, _ = await post(cloud, b"payload", key)
    assert (status, content["id"], content["state"]) == (202, keyed, "delivered")
    assert (await post(cloud, b"another", key))[0] == 422
    assert await times_at_partner(cloud, keyed) == 1
    _, entry = await cloud.ledger(f"/{keyed}")
    assert (entry["size"], entry["key_version"], list(entry["times"])) == (
        *(None, None),
        ["accepted", "queued"],
    )
    text = await ops(cloud, "prune", "--ledger-days", "forever")
    assert "rows removed: 0" in text.out
    assert (await erased(cloud, waiting))[0] == 0


@pytest.mark.long
async def test_what_is_dropped_for_its_age_is_so_in_the_ledger(cloud: Running) -> None:
    message_id = await rejected(cloud)
    target, stop = RecordsTarget.in_folder(cloud.folder), asyncio.Event()
    async with target.opened() as records:
        now = await records.retained.now()
        none = await drop_rejected(records, now - timedelta(days=1), stop)
        assert (none.dropped, await left(cloud)) == (0, 1)
        done = await drop_rejected(records, now + timedelta(days=1), stop)
    assert (done.dropped, done.failed, await left(cloud)) == (1, [], 0)
    entry = await cloud.entry(message_id, "dropped", 1)
    assert entry["detail"].startswith("partner-refused: ")


async def test_a_message_is_erased_wherever_it_is_kept(cloud: Running) -> None:
    key = new_key()
    there, away, keyed = await delivered(cloud), await rejected(cloud), await rejected(cloud, key)
    code, found = await erased(cloud, there.upper(), away, keyed, "nobody")
    assert code == 1
    assert {one["id"]: (one["ledger"], one["rejected"]) for one in found["erased"]} == {
        there: ("removed", 0),
        away: ("removed", 1),
        keyed: ("tombstone", 1),
    }
    assert [one["id"] for one in found["not_erased"]] == ["nobody"]
    assert await left(cloud) == 0
    for id_ in (there, away):
        assert (await cloud.ledger(f"/{id_}"))[0] == 404
    _, tombstone = await cloud.ledger(f"/{keyed}")
    assert (tombstone["state"], tombstone["detail"]) == ("rejected", None)
    assert (await post(cloud, b"payload", key))[0] == 409


async def test_a_message_that_is_on_its_way_is_not_erased(cloud: Running) -> None:
    retrying = Receipt("on-its-way", State.RETRYING, datetime.now(UTC), 1)
    async with (
        cloud.bus("receiver", "receiver_bus") as client,
        client.get_queue_sender("receipts") as sender,
    ):
        await sender.send_messages(ServiceBusMessage(retrying.to_json()))
    await cloud.entry("on-its-way", "retrying")
    code, found = await erased(cloud, "on-its-way")
    assert (code, found["erased"]) == (1, [])
    assert "is delivered or rejected" in found["not_erased"][0]["why"]
    assert (await cloud.ledger("/on-its-way"))[0] == 200


@pytest.mark.parametrize("operator", OTHERS)
async def test_no_other_operator_may_prune_or_erase(
    cloud: Running, operator: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    message_id = await rejected(cloud) if not await left(cloud) else ""
    target = RecordsTarget.in_folder(cloud.folder)
    other = await cloud.environment(operator)
    for name in ("IDENTITY_ENDPOINT", "IDENTITY_HEADER"):
        monkeypatch.setenv(name, other[name])
    before = await left(cloud)
    for doing in (
        prune(target, Retention(), as_json=True),
        erase(target, [message_id or "any"], Retention(), as_json=True, sure=True),
    ):
        with pytest.raises(REFUSED):
            await doing
    assert await left(cloud) == before > 0
