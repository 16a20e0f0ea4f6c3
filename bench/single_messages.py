"""One message at a time, and the first ones of cold apps."""

from __future__ import annotations

import asyncio
import json
import os
import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

import aiohttp

from bench.cloud import Host, RunningCloud, host, run
from bench.figures import SDKS, Figure, Findings, percentile
from bench.load import Plan, post
from bench.sizes import Sizes
from bench.throughput import QUEUE

_COLD_CALLERS = 64
_IDLE_MS = 150  # between two messages


async def cold_callers(running: RunningCloud, sizes: Sizes) -> Findings:
    """Count operations of the vault for callers who come at once to cold apps."""
    await running.command("restart", "sender", "receiver")
    counted = await running.counters()
    url = f"{running.app('sender').url}/api/messages"
    plan = Plan(_COLD_CALLERS, os.urandom(sizes.payload), requests=_COLD_CALLERS)
    load = await post(url, plan)
    await running.emptied(QUEUE, "receipts")
    since = (await running.counters()).since(counted)
    return Findings(
        {
            "cold encrypts": Figure(since.of("encrypt"), str(since)),
            "cold decrypts": Figure(since.of("decrypt"), str(since)),
        },
        refused=load.refused,
    )


async def cold_first_message(running: RunningCloud, sizes: Sizes) -> Findings:
    """Measure the first message of a cold sender, and each step by itself."""
    firsts, steps = [], []
    for _ in range(sizes.cold_starts):
        await running.command("restart", "sender")
        url = f"{running.app('sender').url}/api/messages"
        load = await post(url, Plan(1, os.urandom(sizes.payload), requests=1))
        firsts.append(load.latencies[0])
        steps.append(await run(running, "sender", "bench.steps"))
    first = statistics.median(firsts)
    typical = {name: statistics.median(one[name] for one in steps) for name in steps[0]}
    listed = ", ".join(f"{name} {1000 * s:.0f}" for name, s in typical.items())
    return Findings(
        {
            "cold first message": Figure(
                first / max(typical.values()), f"{1000 * first:.0f} ms; steps in ms: {listed}"
            )
        }
    )


async def idle(running: RunningCloud, sizes: Sizes) -> Findings:
    """Measure one message at a time, beside the bare SDK's, both with a pause between two.

    Until it is accepted, as of the bare send and of the floors, without a receiver on the same
    processors; until it is at the partner, with one.
    """
    await running.command("stop", "receiver")
    given = {
        "sender": await running.environment("sender"),
        "partner": f"{running.endpoints['partner']}/messages",
    }
    numbers = (str(sizes.idle_messages), str(sizes.payload), str(_IDLE_MS))
    bare = await run(running, "receiver", "bench.bare_sdk", "trip", *numbers, given=given)
    nothing, least = await _floors(running, sizes)
    alone = await _one_by_one(running.app("sender"), sizes)
    await running.command("start", "receiver")
    await running.emptied(QUEUE)
    posted = await _one_by_one(running.app("sender"), sizes)
    await running.emptied(QUEUE)
    send, trip = percentile(bare["sends"], 0.5), percentile(bare["trips"], 0.5)
    accepted = _beside(_median(alone), send)
    floors = f"an empty function takes {1000 * nothing:.1f} ms, {SDKS} {1000 * least:.1f} ms"
    return Findings(
        {
            "idle accepted": replace(
                accepted, note=f"{accepted.note}; {floors}", floor=least / send
            ),
            "idle at the partner": _beside(percentile(await _arrived(running, posted), 0.5), trip),
        }
    )


async def _floors(running: RunningCloud, sizes: Sizes) -> tuple[float, float]:
    """Return in how many seconds an empty function answers, and the SDKs alone accept a message."""
    async with host(running, "sender", "empty_function") as empty:
        nothing = await _one_by_one(empty, sizes)
    database = str(running.folder / "sdk-sender-idle.sqlite3")
    async with host(running, "sender", "sdk_sender", SAMPLE_DATABASE=database) as sdks:
        least = await _one_by_one(sdks, sizes)
    # Nobody could open what it has sent.
    await run(running, "receiver", "bench.bare_sdk", "receive", str(await running.depth(QUEUE)))
    return _median(nothing), _median(least)


def _beside(ours: float, bare: float) -> Figure:
    return Figure(ours / bare, f"{1000 * ours:.1f} ms beside {1000 * bare:.1f} ms")


def _median(posted: Sequence[_Posted]) -> float:
    return percentile([one.seconds for one in posted], 0.5)


@dataclass(frozen=True)
class _Posted:
    """A message: its id (a sample does not say), when it was posted, seconds until accepted."""

    id: str
    at: float
    seconds: float


async def _one_by_one(sender: Host, sizes: Sizes) -> list[_Posted]:
    """Post messages with a pause between two, all over one connection."""
    payload = os.urandom(sizes.payload)
    posted = []
    async with aiohttp.ClientSession(raise_for_status=True) as session:
        for _ in range(sizes.idle_messages + 1):
            at, begun = time.time(), time.perf_counter()
            async with session.post(f"{sender.url}/api/messages", data=payload) as answer:
                content = await answer.read()
            seconds = time.perf_counter() - begun
            posted.append(_Posted(json.loads(content)["id"] if content else "", at, seconds))
            await asyncio.sleep(_IDLE_MS / 1000)
    return posted[1:]  # the first opens links


async def _arrived(running: RunningCloud, posted: Sequence[_Posted]) -> list[float]:
    """Return the seconds from the post of each message until it was at the partner."""
    since = {one.id: one.at for one in posted}
    return [
        datetime.fromisoformat(one["received_at"]).timestamp() - since[one["id"]]
        for one in await running.deliveries()
        if one["id"] in since
    ]
