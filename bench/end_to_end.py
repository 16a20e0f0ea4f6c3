"""From callers to partner: beside the bare SDK, and what a message costs the services."""

from __future__ import annotations

import asyncio
import os
import time
from contextlib import AsyncExitStack

from bench.cloud import Host, RunningCloud, host, run
from bench.counters import Counters
from bench.figures import Figure, Findings, spent, steady
from bench.load import Load, Plan, post
from bench.sizes import Sizes
from bench.throughput import QUEUE

_QUEUES = (QUEUE, "receipts")


async def end_to_end(running: RunningCloud, sizes: Sizes) -> Findings:
    """Measure the whole relay under load: its rate, operations, executions."""
    bare = await _bare_rate(running, sizes)
    await running.command("restart", "sender")  # the receiver has just started, too
    cold = await running.counters()
    sender, receiver = running.app("sender"), running.app("receiver")
    payload = os.urandom(sizes.payload)
    url = f"{sender.url}/api/messages"
    first = await post(url, Plan(sizes.callers, payload, requests=sizes.callers))
    await running.emptied(*_QUEUES)
    counted, executed = await running.counters(), _executions(running)
    begun, at = await running.received(), time.monotonic()
    plan = Plan(sizes.callers, payload, seconds=sizes.load_seconds)
    posting = asyncio.create_task(post(url, plan))
    arriving = asyncio.create_task(running.arrivals(begun, 10**9, receiver, sizes.load_seconds))
    load, samples = await posting, await arriving
    messages = len(load.latencies)
    await running.arrivals(begun, messages, receiver, sizes.drain_seconds)
    rate = (await running.received() - begun) / (time.monotonic() - at)
    await running.emptied(*_QUEUES)
    ended = await running.counters()
    since, all_since = ended.since(counted), ended.since(cold)
    calls = {app: count - executed[app] for app, count in _executions(running).items()}
    return Findings(
        {
            "end to end": Figure(
                rate / bare, f"{rate:,.0f}/s of {bare:,.0f}/s; {spent(steady(samples).cpu_ms)}"
            ),
            "bus operations": Figure(
                since.bus_operations / messages, f"{messages:,} messages: {since}"
            ),
            "executions": Figure(
                sum(calls.values()) / messages,
                ", ".join(f"{app} {count:,}" for app, count in calls.items()),
            ),
            "vault operations": _vault_operations(all_since, len(first.latencies) + messages),
        },
        refused=first.refused + load.refused,
    )


def _vault_operations(since: Counters, messages: int) -> Figure:
    """Return those for 1,000 messages; `since` is counted from cold apps on.

    Warm ones would do none at all for as long as their keys last, which is longer than a run.
    """
    return Figure(since.vault_operations * 1000 / messages, f"{messages:,} messages: {since}")


async def several_instances(running: RunningCloud, sizes: Sizes) -> Findings:
    """Count operations of the vault with three senders and receivers, all of them cold."""
    await running.command("restart", "sender", "receiver")
    async with AsyncExitStack() as stack:
        more = (host(running, app) for app in 2 * ("sender", "receiver"))
        started = await asyncio.gather(*(stack.enter_async_context(one) for one in more))
        senders = [running.app("sender"), *started[::2]]
        counted = await running.counters()
        loads = await asyncio.gather(*(_post_share(one, len(senders), sizes) for one in senders))
        await running.emptied(*_QUEUES)
        since = (await running.counters()).since(counted)
    accepted, refused = sum(len(one.latencies) for one in loads), sum(one.refused for one in loads)
    return Findings(
        {"vault operations, several": _vault_operations(since, accepted)}, refused=refused
    )


async def _post_share(sender: Host, of: int, sizes: Sizes) -> Load:
    payload = os.urandom(sizes.payload)
    plan = Plan(max(1, sizes.callers // of), payload, requests=sizes.several_messages // of)
    return await post(f"{sender.url}/api/messages", plan)


async def _bare_rate(running: RunningCloud, sizes: Sizes) -> float:
    """Return messages a second that the SDK sends, receives and completes."""
    await running.command("stop", "receiver")
    count = str(sizes.bare_messages)
    sent, received = await asyncio.gather(
        run(running, "sender", "bench.bare_sdk", "send", count, str(sizes.payload)),
        run(running, "receiver", "bench.bare_sdk", "receive", count),
    )
    await running.command("start", "receiver")
    seconds = received["ended"] - sent["begun"]
    return float((sizes.bare_messages - received["left"]) / seconds)


def _executions(running: RunningCloud) -> dict[str, int]:
    # The sender's are one for each request, whatever it does.
    return {app: running.executions(app) for app in ("receiver", "tracker")}
