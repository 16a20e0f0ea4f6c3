"""Accepted and delivered a second, beside a sample, an empty function and the SDKs alone."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AsyncExitStack
from dataclasses import replace
from functools import partial
from typing import TypeVar

from bench.cloud import Host, RunningCloud, host, run
from bench.comparison import EMPTY, SAMPLE, Accepted, Comparison
from bench.figures import SDKS, Findings, Steady, steady
from bench.load import RELAY, Plan, post
from bench.processes import cpu_seconds
from bench.sizes import Sizes

QUEUE = "messages"

T = TypeVar("T")


async def near(running: RunningCloud, sizes: Sizes) -> Findings:
    """Compare on loopback."""
    found = await compare(running, sizes)
    return Findings(found.figures(), {"near": found.series()}, found.refused)


async def distant(running: RunningCloud, sizes: Sizes) -> Findings:
    """Compare on a cloud whose vault and bus are as far away as in a region."""
    found = await compare(running, sizes)
    return Findings(found.distant_figures(), {"distant": found.series()}, found.refused)


async def compare(running: RunningCloud, sizes: Sizes) -> Comparison:
    """Measure the sample, the relay, what is empty and the SDKs alone, in turns.

    A machine is slower for some seconds now and then, so none has all its turns at once.
    """
    await running.command("stop", "receiver")
    accepted = await _accepted(running, replace(sizes, load_seconds=sizes.turn_seconds))
    # What they have sent is for several receivers.
    async with host(running, "receiver", "empty_trigger"):
        await running.emptied(QUEUE)
    return Comparison(accepted, await _delivered(running, sizes))


async def _accepted(running: RunningCloud, sizes: Sizes) -> dict[str, list[Accepted]]:
    samples = {SAMPLE: "sample_sender", RELAY: None, EMPTY: "empty_function", SDKS: "sdk_sender"}
    database = str(running.folder / "sdk-sender.sqlite3")
    async with AsyncExitStack() as stack:
        senders = {
            name: await stack.enter_async_context(
                host(running, "sender", sample, SAMPLE_DATABASE=database)
            )
            for name, sample in samples.items()
        }
        return await _in_turns(
            {name: partial(accept, running, sender, sizes) for name, sender in senders.items()},
            sizes.turns_accepting,
        )


async def _delivered(running: RunningCloud, sizes: Sizes) -> dict[str, list[Steady]]:
    """Fill the queue each time, and measure until it is empty."""

    async def sample() -> Steady:
        payload = os.urandom(sizes.payload)
        async with host(running, "sender", "sample_sender") as sender:
            plan = Plan(sizes.callers, payload, requests=sizes.filled)
            await post(f"{sender.url}/api/messages", plan)
        return await by_sample("sample_receiver")

    async def by_sample(receiver: str) -> Steady:
        secret = (await running.control("GET", "/partner/secrets"))["webhook"]
        return await delivered_by(running, sizes, receiver, SAMPLE_PARTNER=secret)

    async def relay() -> Steady:
        await fill(running, sizes.filled, sizes)
        return await delivered_by(running, sizes)

    async def sdks() -> Steady:
        await fill(running, sizes.filled, sizes)
        return await by_sample("sdk_receiver")

    return await _in_turns(
        {
            SAMPLE: sample,
            RELAY: relay,
            EMPTY: partial(_removed, running, sizes),
            SDKS: sdks,
        },
        sizes.turns_delivering,
    )


async def _in_turns(
    calls: Mapping[str, Callable[[], Awaitable[T]]], turns: int
) -> dict[str, list[T]]:
    """Make each call so often, every other time in the opposite order."""
    found: dict[str, list[T]] = {name: [] for name in calls}
    for turn in range(turns):
        for name in list(calls)[:: -1 if turn % 2 else 1]:
            found[name].append(await calls[name]())
    return found


async def delivered_by(
    running: RunningCloud, sizes: Sizes, sample: str | None = None, **settings: str
) -> Steady:
    """Measure how the relay's receiver, or a sample, delivers what is on the queue, to its end."""
    begun, depth = await running.received(), await running.depth(QUEUE)
    async with host(running, "receiver", sample, **settings) as receiver:
        arrivals = await running.arrivals(begun, depth, receiver, sizes.drain_seconds)
        await running.emptied(QUEUE, "receipts")
    return steady(arrivals)


async def _removed(running: RunningCloud, sizes: Sizes) -> Steady:
    """Fill the queue, and measure how fast a trigger that does nothing empties it."""
    await fill(running, sizes.filled, sizes)
    depth = await running.depth(QUEUE)
    async with host(running, "receiver", "empty_trigger") as empty:
        return steady(await running.removals(QUEUE, depth, empty, sizes.drain_seconds))


async def accept(
    running: RunningCloud, sender: Host, sizes: Sizes, *, is_traced: bool = False
) -> Accepted:
    """Let callers post to a sender for a while; with a trace of its own for each request."""
    url, payload = f"{sender.url}/api/messages", os.urandom(sizes.payload)
    # Its links, its keys.
    first = await post(url, Plan(sizes.callers, payload, requests=sizes.callers))
    before = _cpu(running, sender)
    plan = Plan(sizes.callers, payload, seconds=sizes.load_seconds, is_traced=is_traced)
    load = await post(url, plan)
    after = _cpu(running, sender)
    messages = len(load.latencies)
    load = replace(load, failures=Counter(first.failures) + Counter(load.failures))
    return Accepted(load, {n: (after[n] - before[n]) * 1000 / messages for n in after})


async def fill(
    running: RunningCloud, count: int, sizes: Sizes, every: int = 0, *, is_traced: bool = False
) -> None:
    """Put so many sealed messages on the queue; see `bench.fill`."""
    arguments = map(str, (count, sizes.payload, every, is_traced))
    await run(running, "sender", "bench.fill", *arguments)


def _cpu(running: RunningCloud, sender: Host) -> dict[str, float]:
    return {
        "services": running.services_cpu(),
        "callers": cpu_seconds([os.getpid()]),
        **sender.cpu(),
    }
