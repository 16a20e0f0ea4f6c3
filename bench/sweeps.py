"""Rates over the number of callers, over the size of payloads, and over the depth of the queue."""

from __future__ import annotations

import os
from dataclasses import replace

from bench.cloud import Host, RunningCloud, host
from bench.figures import Findings, percentile, steady
from bench.load import Load, Plan, post
from bench.sizes import Sizes
from bench.throughput import fill


async def drains(running: RunningCloud, sizes: Sizes) -> Findings:
    """Measure how long the receiver takes to empty a queue, over its depth.

    Each depth has a bound of time: where it stops, `delivered` is less than `depth`.
    """
    found: list[dict[str, object]] = []
    for depth in sizes.depths:
        await running.command("stop", "receiver")
        await fill(running, depth, sizes)
        begun = await running.received()
        await running.command("start", "receiver")
        samples = await running.arrivals(begun, depth, running.app("receiver"), sizes.depth_seconds)
        before = [one for one in samples if not one.count] or samples
        done = steady(samples) if samples[-1].count > 1 else None
        found.append(
            {
                "depth": depth,
                "delivered": samples[-1].count,
                "seconds": round(samples[-1].at - before[-1].at, 3),
                "per_second": done.rate if done else None,
                "cpu_ms": dict(done.cpu_ms) if done else {},
            }
        )
        if samples[-1].count < depth:
            break  # a deeper one would begin with what is left of this one
    return Findings(series={"drain": found})


async def accepting(running: RunningCloud, sizes: Sizes) -> Findings:
    """Measure accepted messages a second over callers and payloads, beside an empty function."""
    await running.command("stop", "receiver")
    sender = running.app("sender")
    async with host(running, "sender", "empty_function") as empty:
        loads: list[Load] = []

        async def point(at: Sizes, name: str, value: int) -> dict[str, object]:
            loads.append(await _load(sender, at))
            return {name: value, **_rate(loads[-1]), "empty": _rate(await _load(empty, at))}

        by_callers = [
            await point(replace(sizes, callers=number), "callers", number)
            for number in sizes.sweep_callers
        ]
        by_payload = [
            await point(replace(sizes, payload=size), "bytes", size)
            for size in sizes.sweep_payloads
        ]
    series = {"callers": by_callers, "payloads": by_payload}
    return Findings(series=series, refused=sum(load.refused for load in loads))


async def _load(sender: Host, sizes: Sizes) -> Load:
    plan = Plan(sizes.callers, os.urandom(sizes.payload), seconds=sizes.sweep_seconds)
    return await post(f"{sender.url}/api/messages", plan)


def _rate(load: Load) -> dict[str, object]:
    return {
        "per_second": load.rate,
        "p50_ms": 1000 * percentile(load.latencies, 0.5),
        "p99_ms": 1000 * percentile(load.latencies, 0.99),
        "refused": dict(load.failures),
    }
