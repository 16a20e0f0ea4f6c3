"""An operator pauses the partner, resumes it, and brings forward what waits."""

from __future__ import annotations

import asyncio
import json

import pytest

from tests.pipeline.cloud_process import Running
from tests.pipeline.ops_cli import ops
from tests.pipeline.scenario import TEXT, done

MESSAGES = 20
REASON = "their release of tonight"


async def posts(cloud: Running) -> int:
    """How many messages the partner has got so far."""
    return len((await cloud.deliveries())[1])


async def restart(cloud: Running) -> None:
    await cloud.control("POST", "/apps/receiver/restart")


async def send_all(cloud: Running) -> set[str]:
    async with cloud.session() as session:
        return {await cloud.send(session, b"%d" % n, TEXT) for n in range(MESSAGES)}


# First: for a while after a resume, the receiver itself brings forward what waits.
async def test_what_a_partner_asked_to_wait_for_is_sent_at_once_if_an_operator_says_so(
    cloud: Running,
) -> None:
    await cloud.fault(service="partner", answer="status", status=500, retry_after="3600", times=1)
    async with cloud.session() as session:
        message_id = await cloud.send(session, b"later", TEXT)
    await cloud.waiting("retries", 1)
    (one,) = json.loads((await ops(cloud, "retries", "--json")).out)["messages"]
    assert (one["attempts"], one["waits_for"], one["id"]) == (1, "attempt", message_id)
    assert "500" in one["detail"]
    assert 3000 < one["due_in_seconds"] <= 1.2 * 3600
    table = await ops(cloud, "retries")
    assert message_id in table.out
    await done(cloud, "retry", f"#{one['sequence_number']}")
    await cloud.received({message_id})
    gone = await ops(cloud, "retry", message_id)
    assert (gone.code, "no such waiting message" in gone.err) == (1, True)


@pytest.mark.long
async def test_a_pause_survives_restarts_and_after_it_all_is_delivered(cloud: Running) -> None:
    await done(cloud, "partner", "pause", "--reason", REASON)
    await restart(cloud)
    before = await posts(cloud)
    ids = await send_all(cloud)
    await cloud.waiting("retries", MESSAGES)
    shown = json.loads((await ops(cloud, "retries", "--json")).out)
    assert {one["id"] for one in shown["messages"]} == ids
    assert {(one["attempts"], one["waits_for"]) for one in shown["messages"]} == {(0, "service")}
    assert all("paused by an operator" in one["detail"] for one in shown["messages"])
    assert all(0 <= one["age_seconds"] < 600 for one in shown["messages"])

    await restart(cloud)
    # Brought forward they come, and are parked again: nothing is posted, and no attempt is counted.
    await done(cloud, "retry", "--all")
    await cloud.waiting("retries", MESSAGES)
    status = json.loads((await ops(cloud, "partner", "status", "--json")).out)
    assert (status["state"], status["reason"]) == ("paused", REASON)
    assert await posts(cloud) == before

    await done(cloud, "partner", "resume")
    await restart(cloud)
    await done(cloud, "retry", "--all", "--rate", "10")
    await cloud.received(ids)
    assert await posts(cloud) == before + MESSAGES
    for message_id in ids:
        assert (await cloud.entry(message_id, "delivered"))["attempts"] == 1


@pytest.mark.long
async def test_a_running_receiver_pauses_and_resumes_within_a_minute(cloud: Running) -> None:
    async with cloud.session() as session:
        await cloud.received({await cloud.send(session, b"first", TEXT)})
    await done(cloud, "partner", "pause")
    async with cloud.session() as session:
        for n in range(60):
            await cloud.send(session, b"%d" % n, TEXT)
            await cloud.emptied("messages")
            if (await cloud.counts("retries"))["scheduled"]:
                break
            await asyncio.sleep(1)
    ids = await send_all(cloud)
    await cloud.emptied("messages")
    assert (await cloud.counts("retries"))["scheduled"] >= MESSAGES
    await done(cloud, "partner", "resume")
    await cloud.received(ids)
    assert "the partner is resumed" in cloud.logs()


@pytest.mark.long
async def test_a_receiver_that_starts_after_a_resume_brings_forward_what_waits(
    cloud: Running,
) -> None:
    await cloud.fault(service="partner", answer="status", status=500, retry_after="3600", times=1)
    async with cloud.session() as session:
        in_an_hour = await cloud.send(session, b"in an hour", TEXT)
        await cloud.waiting("retries", 1)
        await done(cloud, "partner", "resume")
        await restart(cloud)
        await cloud.send(session, b"has the state read", TEXT)
    await cloud.received({in_an_hour})


@pytest.mark.parametrize("operator", ["operator", "secrets_officer", "partner_officer"])
async def test_nobody_else_sees_what_waits_or_brings_it_forward(
    cloud: Running, operator: str
) -> None:
    environment = await cloud.environment(operator)
    for command in (("retries",), ("retry", "--all")):
        refused = await ops(cloud, *command, environment=environment)
        assert (refused.code, "refused" in refused.err) == (1, True), refused


@pytest.mark.long
async def test_a_replay_of_all_takes_a_pace(cloud: Running) -> None:
    await cloud.fault(service="partner", answer="status", status=400)
    async with cloud.session() as session:
        ids = [await cloud.send(session, b"%d" % n, TEXT) for n in range(3)]
    for message_id in ids:
        await cloud.entry(message_id, "rejected")
    await cloud.heal()
    await done(cloud, "replay", "--all", "--rate", "1")
    found = await cloud.received(set(ids))
    times = sorted(one.at for one in found.values())
    assert times[-1] - times[0] > 1  # of two seconds, however late each of them comes
