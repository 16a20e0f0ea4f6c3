"""Rates over the number of callers, over the size of payloads, and over the depth of the queue."""

from __future__ import annotations

import os
from dataclasses import replace

from bench.cloud import Host, RunningCloud, host
from bench.figures import Findings, percentile, steady
from bench.load import Plan, post
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
    await running.command("stop", "receiver")  # what follows measures only accepting
    return Findings(series={"drain": found})


async def callers(running: RunningCloud, sizes: Sizes) -> Findings:
    """Measure accepted messages a second over callers, beside an empty function."""
    found = []
    async with host(running, "sender", "empty_function") as empty:
        for number in sizes.sweep_callers:
            at = replace(sizes, callers=number)
            ours = await _rate(running.app("sender"), at, sizes.payload)
            beside = await _rate(empty, at, sizes.payload)
            found.append({"callers": number, **ours, "empty": beside})
    return Findings(series={"callers": found})


async def payloads(running: RunningCloud, sizes: Sizes) -> Findings:
    """Measure accepted messages a second over the size of the payload, beside an empty function."""
    found = []
    async with host(running, "sender", "empty_function") as empty:
        for size in sizes.sweep_payloads:
            ours = await _rate(running.app("sender"), sizes, size)
            found.append({"bytes": size, **ours, "empty": await _rate(empty, sizes, size)})
    return Findings(series={"payloads": found})


async def _rate(sender: Host, sizes: Sizes, payload: int) -> dict[str, object]:
    plan = Plan(sizes.callers, os.urandom(payload), seconds=sizes.sweep_seconds)
    load = await post(f"{sender.url}/api/messages", plan)
    return {
        "per_second": load.rate,
        "p50_ms": 1000 * percentile(load.latencies, 0.5),
        "p99_ms": 1000 * percentile(load.latencies, 0.99),
        "refused": dict(load.failures),
    }
