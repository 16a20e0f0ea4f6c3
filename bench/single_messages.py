"""One message at a time, and the first ones of cold apps."""

from __future__ import annotations

import asyncio
import os
import statistics
import time
from datetime import datetime

import aiohttp

from bench.cloud import RunningCloud, run
from bench.figures import Figure, Findings, percentile
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
    await post(url, Plan(_COLD_CALLERS, os.urandom(sizes.payload), requests=_COLD_CALLERS))
    await running.emptied(QUEUE, "receipts")
    since = (await running.counters()).since(counted)
    return Findings(
        {
            "cold encrypts": Figure(since.of("encrypt"), str(since)),
            "cold decrypts": Figure(since.of("decrypt"), str(since)),
        }
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
    """Measure one message at a time, beside the bare SDK's, both with a pause between two."""
    await running.command("stop", "receiver")
    given = {
        "sender": await running.environment("sender"),
        "partner": f"{running.endpoints['partner']}/messages",
    }
    numbers = (str(sizes.idle_messages), str(sizes.payload), str(_IDLE_MS))
    bare = await run(running, "receiver", "bench.bare_sdk", "trip", *numbers, given=given)
    await running.command("start", "receiver")
    accepted, arrived = await _one_by_one(running, sizes)
    send, trip = percentile(bare["sends"], 0.5), percentile(bare["trips"], 0.5)
    return Findings(
        {
            "idle accepted": _beside(percentile(accepted, 0.5), send),
            "idle at the partner": _beside(percentile(arrived, 0.5), trip),
        }
    )


def _beside(ours: float, bare: float) -> Figure:
    return Figure(ours / bare, f"{1000 * ours:.1f} ms beside {1000 * bare:.1f} ms")


async def _one_by_one(running: RunningCloud, sizes: Sizes) -> tuple[list[float], list[float]]:
    """Return the seconds until each message was accepted, and until it was at the partner."""
    url = f"{running.app('sender').url}/api/messages"
    payload = os.urandom(sizes.payload)
    posted: dict[str, float] = {}
    accepted = []
    async with aiohttp.ClientSession() as session:
        for number in range(sizes.idle_messages + 1):
            at = time.time()
            async with session.post(url, data=payload) as answer:
                content = await answer.json()
            if number:  # the first opens links
                accepted.append(time.time() - at)
                posted[content["id"]] = at
            await asyncio.sleep(_IDLE_MS / 1000)
    await running.emptied(QUEUE)
    arrived = [
        datetime.fromisoformat(one["received_at"]).timestamp() - posted[one["id"]]
        for one in await running.deliveries()
        if one["id"] in posted
    ]
    return accepted, arrived
