"""A partner that is away for days: nobody computes meanwhile, and all is delivered in the end."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from itertools import pairwise

import pytest

from shared.partner.retries import Schedule
from shared.settings.settings import ReceiverSettings
from tests.pipeline.cloud_process import SNAPSHOT, Running, running, with_settings

MESSAGES = 40
JITTER = 1.2
# Seconds that may go by between a message's scheduling and a look at it, on however busy a machine.
SLACK = 120
# The usual one without its first delay: five seconds can be over before all messages wait.
SCHEDULE = Schedule(ReceiverSettings.retry_schedule.delays[1:])


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """Give a cloud whose clock of the bus is turned ahead, attempt by attempt."""
    folder = tmp_path_factory.mktemp("cloud")
    receiver = {
        "RELAY_RETRY_SCHEDULE": str(SCHEDULE),
        # Each attempt is really made, as where messages are few: the breaker stays closed.
        "RELAY_PARTNER_BREAKER_FAILURES": "1000",
    }
    with running(folder / "folder", with_settings(SNAPSHOT, folder, receiver=receiver)) as up:
        yield up


async def scheduled(cloud: Running) -> int:
    return int((await cloud.control("GET", "/status"))["queues"]["retries"]["scheduled"])


async def until_all_wait(cloud: Running) -> None:
    for _ in range(1200):
        queues = (await cloud.control("GET", "/status"))["queues"]
        # What is locked still when the clock is turned ahead would be delivered once more.
        under_way = sum(
            queues[name][state]
            for name in ("messages", "retries")
            for state in ("active", "locked")
        )
        if queues["retries"]["scheduled"] == MESSAGES and not under_way:
            return
        await asyncio.sleep(0.05)
    raise AssertionError("not all messages wait for their next attempt")


def attempts(cloud: Running) -> int:
    """How often the receiver was called, as its host logs it."""
    logs = cloud.logs()
    return sum(logs.count(f"Executing 'Functions.{name}'") for name in ("receive", "retry"))


@pytest.mark.long
async def test_days_without_the_partner(cloud: Running) -> None:
    await cloud.fault(service="partner", answer="status", status=503)
    async with cloud.session() as session:
        ids = {await cloud.send(session, b"%d" % n, "text/plain") for n in range(MESSAGES)}
    *early, last = SCHEDULE.delays
    assert all(before * JITTER < after for before, after in pairwise(SCHEDULE.delays[:4]))
    for number, delay in enumerate(early, start=1):
        await until_all_wait(cloud)
        assert attempts(cloud) == MESSAGES * number, "once for each attempt, never between"
        await cloud.control("PUT", "/bus/clock", json.dumps({"ahead": delay - SLACK}))
        assert await scheduled(cloud) == MESSAGES, "none is due before its delay is over"
        await cloud.control("PUT", "/bus/clock", json.dumps({"ahead": int(delay * JITTER) + 1}))
        await until_attempted(cloud, number + 1)
    await until_all_wait(cloud)
    await cloud.heal()
    await cloud.control("PUT", "/bus/clock", json.dumps({"ahead": int(last * JITTER) + 1}))
    arrived = await cloud.received(ids)
    assert {one.verified for one in arrived.values()} == {True}
    assert attempts(cloud) == MESSAGES * (len(SCHEDULE.delays) + 1)
    assert (await cloud.rejections()) == {}


async def until_attempted(cloud: Running, times: int) -> None:
    for _ in range(1200):
        if attempts(cloud) >= MESSAGES * times:
            return
        await asyncio.sleep(0.05)
    raise AssertionError("not all messages were tried again when they were due")
