"""Accepted and delivered messages a second, beside a sample, an empty function and trigger."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass

from bench.cloud import Host, RunningCloud, host, run
from bench.figures import Figure, Findings, Steady, spent, steady
from bench.load import Load, Plan, post
from bench.processes import cpu_seconds
from bench.sizes import Sizes

QUEUE = "messages"


@dataclass(frozen=True)
class Accepted:
    """What callers got of a sender, and the CPU milliseconds of each process a message."""

    load: Load
    cpu_ms: Mapping[str, float]


@dataclass(frozen=True)
class Comparison:
    """The relay, and what ran beside it on the same cloud."""

    accepted: Accepted
    accepted_by_sample: Accepted
    accepted_by_empty: Accepted
    delivered: Steady
    delivered_by_sample: Steady
    removed_by_empty: Steady

    def figures(self) -> dict[str, Figure]:
        """Return the rows of a cloud on loopback."""
        ours, theirs = self.accepted, self.delivered
        return {
            "accepted empty": Figure(
                ours.load.rate / self.accepted_by_empty.load.rate, spent(ours.cpu_ms)
            ),
            "delivered empty": Figure(
                theirs.rate / self.removed_by_empty.rate, spent(theirs.cpu_ms)
            ),
            "sender CPU": Figure(
                ours.cpu_ms["worker"] / self.accepted_by_sample.cpu_ms["worker"],
                spent(ours.cpu_ms),
            ),
            "receiver CPU": Figure(
                theirs.cpu_ms["worker"] / self.delivered_by_sample.cpu_ms["worker"],
                spent(theirs.cpu_ms),
            ),
            **self._over_the_sample("accepted", "delivered"),
        }

    def distant_figures(self) -> dict[str, Figure]:
        """Return the rows of a cloud that is as far away as a region."""
        return self._over_the_sample("accepted distant", "delivered distant")

    def _over_the_sample(self, accepted: str, delivered: str) -> dict[str, Figure]:
        ours, sample = self.accepted, self.accepted_by_sample
        return {
            accepted: Figure(
                ours.load.rate / sample.load.rate,
                f"{ours.load.rate:,.0f}/s of {sample.load.rate:,.0f}/s; {spent(ours.cpu_ms)}",
            ),
            delivered: Figure(
                self.delivered.rate / self.delivered_by_sample.rate,
                f"{self.delivered.rate:,.0f}/s of {self.delivered_by_sample.rate:,.0f}/s; "
                f"{spent(self.delivered.cpu_ms)}",
            ),
        }

    def series(self) -> dict[str, object]:
        """Return rates and latencies, for results.json."""
        by = {
            "relay": self.accepted,
            "sample": self.accepted_by_sample,
            "empty function": self.accepted_by_empty,
        }
        delivered = {
            "relay": self.delivered,
            "sample": self.delivered_by_sample,
            "empty trigger": self.removed_by_empty,
        }
        return {
            "accepted_per_second": {name: one.load.rate for name, one in by.items()},
            "accepted_cpu_ms": {name: dict(one.cpu_ms) for name, one in by.items()},
            "refused": {name: dict(one.load.failures) for name, one in by.items()},
            "latencies_ms": {
                name: [round(1000 * one, 3) for one in thinned(sorted(each.load.latencies))]
                for name, each in by.items()
            },
            "delivered_per_second": {name: one.rate for name, one in delivered.items()},
            "delivered_cpu_ms": {name: dict(one.cpu_ms) for name, one in delivered.items()},
        }


async def near(running: RunningCloud, sizes: Sizes) -> Findings:
    """Compare on loopback."""
    comparison = await compare(running, sizes)
    return Findings(comparison.figures(), {"near": comparison.series()})


async def distant(running: RunningCloud, sizes: Sizes) -> Findings:
    """Compare on a cloud whose vault and bus are as far away as in a region."""
    comparison = await compare(running, sizes)
    return Findings(comparison.distant_figures(), {"distant": comparison.series()})


async def compare(running: RunningCloud, sizes: Sizes) -> Comparison:
    """Measure the sample, then the relay, then what is empty."""
    await running.command("stop", "receiver")
    async with host(running, "sender", "sample_sender") as sample:
        accepted_by_sample = await accept(running, sample, sizes)
    begun, depth = await running.received(), await running.depth(QUEUE)
    secret = (await running.control("GET", "/partner/secrets"))["webhook"]
    async with host(running, "receiver", "sample_receiver", SAMPLE_PARTNER=secret) as sample:
        arrivals = await running.arrivals(begun, depth, sample, sizes.drain_seconds)
        delivered_by_sample = steady(arrivals)
        await running.emptied(QUEUE)
    accepted = await accept(running, running.app("sender"), sizes)
    delivered = await deliver(running, sizes)
    async with host(running, "sender", "empty_function") as empty:
        accepted_by_empty = await accept(running, empty, sizes)
    await running.command("stop", "receiver")
    removed_by_empty = await remove(running, sizes)
    return Comparison(
        *(accepted, accepted_by_sample, accepted_by_empty),
        *(delivered, delivered_by_sample, removed_by_empty),
    )


async def accept(running: RunningCloud, sender: Host, sizes: Sizes) -> Accepted:
    """Let callers post to a sender for a while."""
    url, payload = f"{sender.url}/api/messages", os.urandom(sizes.payload)
    await post(url, Plan(sizes.callers, payload, requests=sizes.callers))  # its links, its keys
    before = _cpu(running, sender)
    load = await post(url, Plan(sizes.callers, payload, seconds=sizes.load_seconds))
    after = _cpu(running, sender)
    messages = len(load.latencies)
    return Accepted(load, {n: (after[n] - before[n]) * 1000 / messages for n in after})


async def deliver(running: RunningCloud, sizes: Sizes) -> Steady:
    """Fill the queue, start the relay's receiver, and measure until the queue is empty."""
    await fill(running, sizes.filled, sizes)
    begun, depth = await running.received(), await running.depth(QUEUE)
    await running.command("start", "receiver")
    receiver = running.app("receiver")
    arrivals = await running.arrivals(begun, depth, receiver, sizes.drain_seconds)
    await running.emptied(QUEUE, "receipts")
    return steady(arrivals)


async def remove(running: RunningCloud, sizes: Sizes) -> Steady:
    """Fill the queue, and measure how fast a trigger that does nothing empties it."""
    await fill(running, sizes.filled, sizes)
    depth = await running.depth(QUEUE)
    async with host(running, "receiver", "empty_trigger") as empty:
        return steady(await running.removals(QUEUE, depth, empty, sizes.drain_seconds))


async def fill(running: RunningCloud, count: int, sizes: Sizes, every: int = 0) -> None:
    """Put so many sealed messages on the queue; see `bench.fill`."""
    await run(running, "sender", "bench.fill", str(count), str(sizes.payload), str(every))


def thinned(ordered: list[float], most: int = 200) -> list[float]:
    """Return at most so many values, evenly from the smallest to the largest."""
    if len(ordered) <= most:
        return ordered
    return [ordered[i * (len(ordered) - 1) // (most - 1)] for i in range(most)]


def _cpu(running: RunningCloud, sender: Host) -> dict[str, float]:
    return {
        "services": running.services_cpu(),
        "callers": cpu_seconds([os.getpid()]),
        **sender.cpu(),
    }
