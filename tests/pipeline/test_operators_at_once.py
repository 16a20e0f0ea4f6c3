"""Operators who are interrupted or killed, several at a time, and messages that come meanwhile."""

from __future__ import annotations

import asyncio
import json
import os
import pty
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.pipeline.cloud_process import ROOT, SNAPSHOT, Running, running
from tests.pipeline.ops_cli import (
    MANY,
    Ended,
    end,
    left,
    message,
    numbered,
    ops,
    reject,
    start,
    taken,
    under_way,
    waiting,
)

pytestmark = pytest.mark.long


async def test_an_interrupted_replay_is_finished_by_the_next(still: Running) -> None:
    await reject(still, numbered(MANY, "i"))
    first = await start(still, "replay", "--all", "--json")
    await under_way(still, 100)
    first.send_signal(signal.SIGINT)
    ended = await end(first)
    assert ended.code == 1
    assert "stopping" in ended.err
    done, not_done = ended.json["replayed"], ended.json["not_done"]
    assert 0 < len(done) < MANY
    assert len(done) + len(not_done) == MANY
    assert {one["why"] for one in not_done} == {"interrupted"}
    assert await left(still) == len(not_done)
    second = await ops(still, "replay", "--all")
    assert second.out == f"replayed {len(not_done)} messages\n"
    arrived = [one.id for one in await taken(still)]
    assert len(arrived) == len(set(arrived)) == MANY


async def test_progress_is_shown_on_a_terminal_only(still: Running) -> None:
    await reject(still, numbered(120, "p"))
    assert replay_on_a_terminal(still).strip().split("\r")[-1] == "replayed 120 of 120"
    await reject(still, numbered(120, "q"))
    assert await ops(still, "replay", "--all") == Ended(0, "replayed 120 messages\n", "")


def replay_on_a_terminal(cloud: Running) -> str:
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "ops", "replay", "--all", "--folder", str(cloud.folder)]
    try:
        subprocess.run(command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=theirs, check=True)
        return os.read(ours, 10_000).decode()
    finally:
        os.close(ours)
        os.close(theirs)


async def test_two_operators_at_once_replay_each_message_once(still: Running) -> None:
    await reject(still, numbered(MANY, "t"))
    both = await asyncio.gather(*(ops(still, "replay", "--all", "--json") for _ in range(2)))
    assert [one.code for one in both] == [0, 0]
    done = [message["id"] for one in both for message in one.json["replayed"]]
    assert sorted(map(str, done)) == sorted(f"t{n}" for n in range(MANY))
    assert len(await taken(still)) == MANY
    assert await left(still) == 0


@pytest.mark.long
async def test_two_operators_with_different_choices(still: Running) -> None:
    """What one of them passes over is what the other one looks for."""
    await reject(still, [message(f"d{n}", "odd" if n % 2 else "even") for n in range(600)])
    choices = [("--all", "--reason", "odd"), ("--all", "--reason", "even"), ("d7", "d8", "d599")]
    ended = await asyncio.gather(*(ops(still, "replay", *choice, "--json") for choice in choices))
    done = [message["id"] for one in ended for message in one.json["replayed"]]
    assert sorted(map(str, done)) == sorted(f"d{n}" for n in range(600))
    assert [one.code for one in ended[:2]] == [0, 0]
    assert len(await taken(still)) == 600


@pytest.mark.long
async def test_what_is_rejected_meanwhile_is_not_replayed_in_circles(still: Running) -> None:
    """A partner that refuses still gets each message once more, not for ever."""
    await reject(still, numbered(300, "c"))
    replaying = await start(still, "replay", "--all")
    await under_way(still, 50)
    await reject(still, numbered(20, "later"))
    assert (await end(replaying)).out == "replayed 300 messages\n"
    assert await left(still) == 20


@pytest.mark.long
async def test_what_a_killed_replay_held_comes_back_and_goes_once(tmp_path: Path) -> None:
    """With locks that are short, so that nobody has to wait for a minute."""
    snapshot = json.loads((ROOT / "infra" / SNAPSHOT).read_text())
    for resource in snapshot["predictedResources"]:
        if resource["type"] == "Microsoft.ServiceBus/namespaces/queues":
            resource["properties"]["lockDuration"] = "PT5S"  # the shortest that Azure takes
    path = tmp_path / "short.snapshot.json"
    path.write_text(json.dumps(snapshot))
    with running(tmp_path / "folder", str(path)) as cloud:
        await cloud.control("POST", "/apps/receiver/stop")
        await reject(cloud, numbered(800, "k"))
        first = await start(cloud, "replay", "--all")
        await under_way(cloud, 100)
        first.kill()
        await first.wait()
        remain, sent = await left(cloud), await waiting(cloud, "messages")
        assert remain > 0
        assert remain + sent >= 800
        assert (await ops(cloud, "replay", "--all")).code == 0
        assert await left(cloud) == 0
        arrived = [one.id for one in await taken(cloud)]
        assert len(arrived) == len(set(arrived)) == 800


async def test_a_healed_partner_gets_all_of_it_once_each(cloud: Running) -> None:
    """The whole way: refused by the partner, rejected, replayed, delivered under the same id."""
    await cloud.control("POST", "/apps/receiver/start")
    fault = {"service": "partner", "answer": "status", "status": 400}
    await cloud.control("POST", "/faults", json.dumps(fault))
    async with cloud.session() as session:
        bodies = {await cloud.send(session, b"%d" % n, "a/b"): b"%d" % n for n in range(40)}
    await cloud.queued("rejected", 40)
    assert (await ops(cloud, "replay", next(iter(bodies)))).code == 0
    while await left(cloud) < 40:  # noqa: ASYNC110 - it is another process's
        await asyncio.sleep(0.05)
    await cloud.control("DELETE", "/faults")
    listed = (await ops(cloud, "rejected", "--json")).json["messages"]
    assert {one["id"] for one in listed} == bodies.keys()
    assert {one["reason"] for one in listed} == {"partner-refused"}
    assert (await ops(cloud, "replay", "--all")).out == "replayed 40 messages\n"
    arrived = await cloud.received(set(bodies))
    assert {one.id: one.body for one in arrived.values()} == bodies
    assert await left(cloud) == 0
