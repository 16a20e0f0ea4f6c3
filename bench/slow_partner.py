"""A partner of which some answers are slow: the receiver, and triggers that only wait as long."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace

from bench.cloud import RunningCloud, host
from bench.figures import Figure, Findings, Steady, spent, steady
from bench.fill import SLOW
from bench.sizes import Sizes
from bench.throughput import QUEUE, fill
from shared.settings.settings import ReceiverSettings

# As many messages at once as the receiver makes posts by default: the triggers do nothing but wait.
# The host gives the receiver twice as many calls (`host.json`), since what it does before and after
# a post takes no post's place.
_AS_MANY_AS_POSTS = {
    "AzureFunctionsJobHost__extensions__serviceBus__maxConcurrentCalls": str(
        ReceiverSettings.partner_concurrency
    )
}


async def slow_partner(running: RunningCloud, sizes: Sizes) -> Findings:
    """Measure the receiver, a trigger that takes one at a time, and one that takes batches."""
    await running.command("stop", "receiver")
    ours = await _delivered(running, sizes)
    single = await _removed(running, sizes, {})
    few = replace(sizes, slow_bound_seconds=sizes.slow_batched_seconds)
    batched = await _removed(running, few, {"SAMPLE_BATCH": "100"})
    await running.command("start", "receiver")
    await running.emptied(QUEUE, "receipts")
    return Findings(
        {
            "slow partner": Figure(
                ours.rate / single.rate,
                f"{ours.rate:,.0f}/s of {single.rate:,.0f}/s; {spent(ours.cpu_ms)}",
            ),
            "slow partner batched": Figure(batched.rate / single.rate, spent(batched.cpu_ms)),
        }
    )


async def _delivered(running: RunningCloud, sizes: Sizes) -> Steady:
    await fill(running, sizes.slow_messages, sizes, sizes.slow_every)
    for fault in (
        {"seconds": sizes.slow_seconds, "content_type": SLOW},
        {"seconds": sizes.answer_seconds},
    ):
        await running.control("POST", "/faults", {"service": "partner", "answer": "slow", **fault})
    begun = await running.received()
    async with host(running, "receiver") as receiver:
        arrivals = await running.arrivals(
            begun, sizes.slow_messages, receiver, sizes.slow_bound_seconds
        )
        await running.emptied(QUEUE)
    await running.control("DELETE", "/faults?service=partner")
    return steady(arrivals)


async def _removed(running: RunningCloud, sizes: Sizes, settings: Mapping[str, str]) -> Steady:
    await fill(running, sizes.slow_messages, sizes)
    depth = await running.depth(QUEUE)
    waits = {
        "seconds": sizes.answer_seconds,
        "every": sizes.slow_every,
        "slow": sizes.slow_seconds,
    }
    more = {"SAMPLE_WAITS": json.dumps(waits), **_AS_MANY_AS_POSTS, **settings}
    async with host(running, "receiver", "waiting_trigger", **more) as trigger:
        return steady(await running.removals(QUEUE, depth, trigger, sizes.slow_bound_seconds))
