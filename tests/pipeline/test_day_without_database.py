"""A database that is away for a day, with thousands of receipts waiting: the whole of it.

The tracker is the real one with its usual settings, in a host and a worker of its own, on the real
bus, whose clock goes on by what the tracker waits. See tests/pipeline/bus_clock.py.
"""

from __future__ import annotations

import asyncio
import shutil
import time
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from azure.servicebus import ServiceBusMessage, ServiceBusReceivedMessage

from shared.message.receipt import Receipt
from shared.message.rejected import read_count
from shared.message.state import State
from shared.message.unrecorded import RETURNS
from tests.databases import AWAY
from tests.pipeline.bus_clock import settings
from tests.pipeline.cloud_process import ROOT, SNAPSHOT, Running, running, text_of

pytestmark = pytest.mark.long

RECEIPTS = 10_000
DAY = 24 * 3600
HOLD = 240  # RELAY_RECEIPT_WAIT_SECONDS
BATCH = 100  # max_message_batch_size of the tracker's trigger
MOST_DELIVERIES = 50  # maxDeliveryCount of the queue of receipts
FEW = 5  # batches
PATIENCE = 1200
USE = {"identity": "tracker_bus", "object": "receipts", "operation": "receive"}
APP = f"""
import runpy

from tests.pipeline import bus_clock

bus_clock.install()
app = runpy.run_path({str(ROOT / "function_app.py")!r})["app"]
"""


@pytest.fixture
def cloud(tmp_path: Path) -> Iterator[Running]:
    with running(tmp_path / "folder", SNAPSHOT) as up:
        yield up


@pytest.fixture
def app(tmp_path: Path) -> Path:
    """Give the folder of the app with its other clock."""
    folder = tmp_path / "app"
    folder.mkdir()
    (folder / "function_app.py").write_text(APP)
    shutil.copy(ROOT / "host.json", folder)
    return folder


async def test_a_day_without_the_database_costs_no_receipt(
    cloud: Running, app: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    database = (await cloud.control("GET", "/database"))["url"]
    await cloud.control("POST", "/apps/tracker/stop")
    await cloud.database(AWAY)
    ids = [str(uuid.uuid4()) for _ in range(RECEIPTS)]
    await send(cloud, ids)
    clock = tmp_path / "clock"
    key = (cloud.folder / "control.key").read_text()
    changes = settings(cloud.endpoints["control"], key, clock)
    # The one thing here that goes by another clock: when the database's new place is looked up.
    changes |= {"RELAY_DATABASE_SECRET_SECONDS": "1"}
    log = tmp_path / "tracker.log"
    began = time.monotonic()
    async with cloud.another("tracker", changes, str(log), app):
        await until_gone_by(DAY, clock)
        deliveries = await delivered(cloud)
        waiting = await peeked(cloud)
        day = float(clock.read_text())
        await cloud.database(database)
        await cloud.queued("receipts", 0, PATIENCE)
        await settled(cloud)
    of_each = [MOST_DELIVERIES * times + since for times, since in waiting]
    with capsys.disabled():
        print(
            f"\n{day / 3600:.1f} h without the database in {time.monotonic() - began:.0f} s: "
            f"{deliveries} deliveries of {RECEIPTS} receipts, {max(of_each)} at most of one, "
            f"{sum(times > 0 for times, _ in waiting)} came back from the dead letters"
        )
    # One batch is held at a time, for the whole of its time; a few were on their way.
    assert deliveries <= BATCH * (day / HOLD + FEW)
    assert max(of_each) <= day / HOLD + FEW
    assert any(times for times, _ in waiting), "none was handed over until the bus gave it up"
    await cloud.control("POST", "/apps/tracker/start")
    assert await recorded(cloud) == set(ids)
    assert await cloud.rejections() == {}
    away = float(clock.read_text())
    assert await delivered(cloud) <= BATCH * (away / HOLD + FEW) + RECEIPTS


async def until_gone_by(seconds: float, clock: Path) -> None:
    patience = time.monotonic() + PATIENCE
    while not clock.exists() or float(clock.read_text()) < seconds:  # noqa: ASYNC240
        assert time.monotonic() < patience, clock.read_text() if clock.exists() else "no clock"  # noqa: ASYNC240
        await asyncio.sleep(0.2)


async def send(cloud: Running, ids: list[str]) -> None:
    now = datetime.now(UTC)
    bodies = [Receipt(one, State.DELIVERED, now, attempts=1).to_json() for one in ids]
    async with (
        cloud.bus("receiver", "receiver_bus") as client,
        client.get_queue_sender("receipts") as sender,
    ):
        for first in range(0, len(bodies), 500):
            page = bodies[first : first + 500]
            await sender.send_messages(
                [ServiceBusMessage(body, content_type="application/json") for body in page]
            )


async def delivered(cloud: Running) -> int:
    """Return how many receipts the bus has delivered so far."""
    used = await cloud.control("GET", "/grants/used")
    (one,) = (one for one in used if one.items() >= USE.items())
    return int(one["count"])


async def peeked(cloud: Running) -> list[tuple[int, int]]:
    """Return for each receipt on the queue how often it was returned and, since then, delivered."""
    found: list[ServiceBusReceivedMessage] = []
    async with (
        cloud.bus("tracker", "tracker_bus") as client,
        client.get_queue_receiver("receipts") as receiver,
    ):
        number = 0
        while page := await receiver.peek_messages(250, sequence_number=number):
            found += page
            number = (page[-1].sequence_number or 0) + 1
    return [(returns(message), message.delivery_count or 0) for message in found]


def returns(message: ServiceBusReceivedMessage) -> int:
    properties = {text_of(k): text_of(v) for k, v in (message.application_properties or {}).items()}
    return read_count(properties.get(RETURNS))


async def recorded(cloud: Running) -> set[str]:
    ids: set[str] = set()
    path = "?limit=200"
    while path:
        status, page = await cloud.ledger(path)
        assert status == 200, page
        ids |= {one["id"] for one in page["messages"] if one["state"] == "delivered"}
        path = (page["next"] or "").removeprefix("/api/messages")
    return ids


async def settled(cloud: Running) -> None:
    """Wait until no receipt is anywhere on its way."""

    async def under_way() -> int:
        queues = (await cloud.control("GET", "/status"))["queues"]
        return sum(
            count for name in ("receipts", "dead-letters") for count in queues[name].values()
        )

    patience = time.monotonic() + PATIENCE
    while await under_way():
        assert time.monotonic() < patience
        await asyncio.sleep(0.2)
