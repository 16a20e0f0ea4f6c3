"""The guarantee: what was answered 202 is at the partner, or among the rejected with its reason.

And the ledger says which of the two, of every message.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.faults.account import Account
from tests.faults.stream import MARKS, Arrivals, Stream
from tests.faults.trouble import Trouble
from tests.pipeline.cloud_process import SNAPSHOT, Running, running, with_settings

pytestmark = [pytest.mark.long, pytest.mark.alone]

MESSAGES = 5000
MIXED = 12  # times that two faults, drawn at random, happen at once
WORKERS = 32
SETTINGS = {
    "sender": {
        "RELAY_DATA_KEY_SECONDS": "3",
        "RELAY_DATA_KEY_MESSAGES": "200",
        "RELAY_DATABASE_SECRET_SECONDS": "1",
    },
    "receiver": {
        "RELAY_RETRY_SCHEDULE": ",".join(["1s"] * 120),
        "RELAY_WAIT_SECONDS": "1",
        "RELAY_DATA_KEY_CACHE_SECONDS": "3",
        "RELAY_PARTNER_TIMEOUT_SECONDS": "2",
        # Of what `MARKS` has refused, nothing is to wait for the end of the schedule.
        "RELAY_PARTNER_FINAL_STATUSES": "307,400,413,415,422",
    },
    "tracker": {"RELAY_DATABASE_SECRET_SECONDS": "1", "RELAY_RECEIPT_WAIT_SECONDS": "1"},
}
DRAIN_SECONDS = 300
RECEIPTS_LOCKED = 300  # lockDuration of the queue of receipts, in seconds


@pytest.fixture
def cloud(tmp_path: Path) -> Iterator[Running]:
    with running(tmp_path / "folder", with_settings(SNAPSHOT, tmp_path, **SETTINGS)) as up:
        yield up


async def test_nothing_is_lost(cloud: Running, capsys: pytest.CaptureFixture[str]) -> None:
    seed = int(os.environ.get("SEED") or random.SystemRandom().randrange(10**6))
    with capsys.disabled():
        print(f"\nseed {seed}; run it again with: make test-all SEED={seed}")
    chance = random.Random(seed)  # noqa: S311 - repeatable, and no secret
    for mark, status in MARKS.items():
        await cloud.fault(service="partner", answer="status", status=status, content_type=mark)
    await tokens_live(cloud, 10)
    arrivals = Arrivals(cloud)
    stream, trouble = Stream(cloud, chance, arrivals), Trouble(cloud, chance)
    watching = asyncio.create_task(arrivals.watch())
    async with asyncio.TaskGroup() as group:
        group.create_task(stream.run(WORKERS))
        for happen in trouble.gentle() + trouble.harsh():
            await trouble.happen(happen)
        mixed = 0
        while mixed < MIXED or len(stream.promises) < MESSAGES:
            first, second = chance.sample(trouble.gentle() + trouble.harsh(), 2)
            await asyncio.gather(trouble.happen(first), trouble.happen(second))
            mixed += 1
        stream.stop()
    await drained(cloud)
    watching.cancel()
    await arrivals.read()
    rejected = await cloud.rejections()
    promises = {promise.id: promise for promise in stream.promises}
    account = Account(
        promises,
        arrivals.by_id,
        rejected,
        await ledger(cloud),
        trouble.explaining(),
        trouble.happened,
        trouble.unanswered(),
    )
    with capsys.disabled():
        print(f"{account}\n{stream.refusals} tries were answered 503 or not at all, and repeated")
    assert len(promises) >= MESSAGES
    account.check()


async def tokens_live(cloud: Running, seconds: int) -> None:
    """Let tokens expire all the time from now on; the apps begin anew, without their long ones."""
    await cloud.control("PUT", "/tokens/lifetime", json.dumps({"seconds": seconds}))
    for app in ("sender", "receiver"):
        await cloud.control("POST", f"/apps/{app}/restart")


async def drained(cloud: Running) -> None:
    """Wait until nothing is on its way any more.

    What a killed tracker was recording, or one whose token ended, is locked for five minutes: they
    pass on the bus's clock, each time anew.
    """
    patience, ahead = time.monotonic() + DRAIN_SECONDS, 0
    while under_way := await left(cloud):
        assert time.monotonic() < patience, f"still under way: {under_way}"
        if under_way.keys() == {"receipts locked"}:
            await asyncio.sleep(5)  # a tracker that lives is done with them by then
            if await left(cloud) == under_way:
                ahead += RECEIPTS_LOCKED
                await cloud.control("PUT", "/bus/clock", json.dumps({"ahead": ahead}))
        await asyncio.sleep(1)


async def left(cloud: Running) -> dict[str, int]:
    queues = (await cloud.control("GET", "/status"))["queues"]
    return {
        f"{name} {state}": count
        for name in ("messages", "retries", "receipts", "dead-letters")
        for state, count in queues[name].items()
        if count
    }


async def ledger(cloud: Running) -> dict[str, str]:
    """Read all of the ledger, page by page; give the state of each message."""
    states: dict[str, str] = {}
    path = "/api/messages?limit=200"
    while path:
        status, page = await cloud.ledger(path.removeprefix("/api/messages"))
        assert status == 200, page
        states |= {entry["id"]: entry["state"] for entry in page["messages"]}
        path = page["next"]
    return states
