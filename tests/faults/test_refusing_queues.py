"""Queues that refuse, one after the other, under load: nothing is lost, and nothing is rejected.

Each is full when it holds two MB, and is made full, throttled or disabled, for all or for one side,
and loses the rights that lead to it.
"""

from __future__ import annotations

import asyncio
import os
import random
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from itertools import product
from pathlib import Path

import pytest

from local.faults.faults import BUS_ANSWERS
from tests.faults.account import Account
from tests.faults.stream import MARKS, Arrivals, Stream
from tests.faults.test_nothing_is_lost import drained, ledger
from tests.faults.trouble import QUEUES, Break, Trouble
from tests.pipeline.cloud_process import SNAPSHOT, Running, running, with_settings
from tests.pipeline.waiting import until

pytestmark = [pytest.mark.long, pytest.mark.alone]

WORKERS = 16
SECONDS = 2.0  # of each refusal
IDENTITIES = ("sender_bus", "receiver_bus", "tracker_bus")
SETTINGS = {
    "receiver": {
        "RELAY_RETRY_SCHEDULE": ",".join(["1s"] * 120),
        "RELAY_WAIT_SECONDS": "1",
        "RELAY_PARTNER_TIMEOUT_SECONDS": "2",
    },
    "tracker": {"RELAY_RECEIPT_WAIT_SECONDS": "1"},
}
QUEUE_BYTES, WAITING_MB = 2 * 1024 * 1024, "1"


def early_refusals(folder: Path) -> Path:
    """Write a snapshot whose sender refuses callers when a MB is under way."""
    path = with_settings(SNAPSHOT, folder, **SETTINGS)
    limit = '"name": "RELAY_MAX_WAITING_MB", "value": '
    text = path.read_text()
    assert f'{limit}"4096"' in text
    path.write_text(text.replace(f'{limit}"4096"', f'{limit}"{WAITING_MB}"'))
    return path


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    folder = tmp_path_factory.mktemp("cloud")
    with running(folder / "folder", early_refusals(folder)) as up:
        yield up


async def test_callers_are_told_before_a_queue_is_full_and_accepted_when_there_is_room(
    cloud: Running,
) -> None:
    await cloud.control("POST", "/apps/receiver/stop")
    accepted: set[str] = set()
    async with cloud.session() as session:

        async def refused() -> bool:
            url = f"{cloud.endpoints['sender']}/api/messages"
            headers = {"Content-Type": "text/plain"}
            async with session.post(url, data=os.urandom(20_000), headers=headers) as answer:
                if answer.status == 202:
                    accepted.add((await answer.json())["id"])
                    return False
                assert (answer.status, answer.headers["Retry-After"]) == (503, "30")
                return True

        await until(refused, lambda: f"{len(accepted)} messages are accepted, and it goes on")
        # A MiB holds 36 of them, as they are counted; none is sent that the queue has no room for.
        assert 30 <= len(accepted) <= 45
        assert (await cloud.counts("messages"))["active"] == len(accepted)
        assert "queue messages is away" not in cloud.logs()
        await cloud.control("POST", "/apps/receiver/start")
        await cloud.received(accepted)

        async def again() -> bool:
            return not await refused()

        await until(again, lambda: "callers are still refused")
        await cloud.received(accepted)


@asynccontextmanager
async def without_right(cloud: Running, identity: str) -> AsyncIterator[None]:
    await cloud.control("PUT", f"/grants/{identity}/off")
    yield
    await cloud.control("PUT", f"/grants/{identity}/on")


async def refusals(cloud: Running, trouble: Trouble) -> None:
    """Let each queue refuse in each manner, and the receiver end while one does."""
    for queue, answer in product(QUEUES, BUS_ANSWERS):
        async with trouble.fault(service="bus", answer=answer, queue=queue):
            await asyncio.sleep(SECONDS)
    for identity in IDENTITIES:
        async with without_right(cloud, identity):
            await asyncio.sleep(SECONDS)
    # The partner is away as well, so that each message needs the queue that refuses it.
    for answer in ("full", "send-disabled"):
        async with (
            trouble.fault(service="partner", answer="status", status=503),
            trouble.fault(service="bus", answer=answer, queue="retries"),
        ):
            for _ in range(3):
                await asyncio.sleep(SECONDS)
                await cloud.control("POST", "/apps/receiver/kill")
                await cloud.control("POST", "/apps/receiver/start")
    async with trouble.fault(service="partner", answer="status", status=503):
        await asyncio.sleep(5 * SECONDS)  # what is under way fills a queue


async def test_nothing_is_lost_or_rejected_by_queues_that_refuse(
    cloud: Running, capsys: pytest.CaptureFixture[str]
) -> None:
    seed = int(os.environ.get("SEED") or random.SystemRandom().randrange(10**6))
    chance = random.Random(seed)  # noqa: S311 - repeatable, and no secret
    for mark in MARKS:
        await cloud.fault(service="partner", answer="status", status=400, content_type=mark)
    for queue in QUEUES:
        await cloud.fault(service="bus", answer="full", queue=queue, above=QUEUE_BYTES)
    arrivals = Arrivals(cloud)
    await arrivals.read()
    stream, trouble = Stream(cloud, chance, arrivals), Trouble(cloud, chance)
    watching, begin = asyncio.create_task(arrivals.watch()), time.time()
    async with asyncio.TaskGroup() as group:
        group.create_task(stream.run(WORKERS))
        await refusals(cloud, trouble)
        stream.stop()
    await drained(cloud)
    watching.cancel()
    await arrivals.read()
    # How often one may come twice is test_nothing_is_lost's; here links end all the time.
    breaks = [Break("queues refuse", begin, time.time(), len(stream.promises) * 10)]
    promises = {promise.id: promise for promise in stream.promises}
    rejected = await cloud.rejections()
    account = Account(promises, arrivals.by_id, rejected, await ledger(cloud), breaks)
    with capsys.disabled():
        print(f"\nseed {seed}\n{account}\n{stream.refusals} tries were answered 503 or not at all")
    assert stream.refusals
    account.check()
