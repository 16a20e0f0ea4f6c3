"""Accepted and delivered a second, beside a sample, an empty function and the SDKs alone."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from bench.cloud import Host, RunningCloud, host, run
from bench.figures import Figure, Findings, Steady, spent, steady
from bench.load import RELAY, Load, Plan, post, refused_by
from bench.processes import cpu_seconds
from bench.sizes import Sizes

QUEUE = "messages"

SAMPLE, EMPTY, SDKS = "the sample", "an empty function", "the SDKs alone"


@dataclass(frozen=True)
class Accepted:
    """What callers got of a sender, and the CPU milliseconds of each process a message."""

    load: Load
    cpu_ms: Mapping[str, float]


@dataclass(frozen=True)
class Comparison:
    """What accepted and what delivered on the same cloud, by name; the relay is among both."""

    accepted: Mapping[str, Accepted]
    delivered: Mapping[str, Steady]

    def figures(self) -> dict[str, Figure]:
        """Return the rows of a cloud on loopback."""
        ours, theirs = self.accepted[RELAY].cpu_ms, self.delivered[RELAY].cpu_ms
        sample, taking = self.accepted[SAMPLE].cpu_ms, self.delivered[SAMPLE].cpu_ms
        return {
            "accepted empty": self._accepted_over(EMPTY, self._reached(self._accepted_rate, EMPTY)),
            "delivered empty": self._delivered_over(
                EMPTY, self._reached(self._delivered_rate, EMPTY)
            ),
            "accepted SDKs": self._accepted_over(SDKS),
            "delivered SDKs": self._delivered_over(SDKS),
            "sender CPU": Figure(
                ours["worker"] / sample["worker"], spent(ours), self._refused(SAMPLE)
            ),
            "receiver CPU": Figure(theirs["worker"] / taking["worker"], spent(theirs)),
            "accepted": self._accepted_over(SAMPLE, self._reached(self._accepted_rate, SAMPLE)),
            "delivered": self._delivered_over(SAMPLE, self._reached(self._delivered_rate, SAMPLE)),
        }

    def distant_figures(self) -> dict[str, Figure]:
        """Return the rows of a cloud that is as far away as a region."""
        return {
            "accepted distant": self._accepted_over(
                SAMPLE, self._reached(self._accepted_rate, SAMPLE)
            ),
            "delivered distant": self._delivered_over(
                SAMPLE, self._reached(self._delivered_rate, SAMPLE)
            ),
        }

    def _accepted_rate(self, who: str) -> float:
        return self.accepted[who].load.rate

    def _delivered_rate(self, who: str) -> float:
        return self.delivered[who].rate

    def _accepted_over(self, who: str, floor: str = "") -> Figure:
        over = _over(self._accepted_rate(RELAY), self._accepted_rate(who))
        note = f"{floor}{over.note}; {spent(self.accepted[RELAY].cpu_ms)}"
        return Figure(over.value, note, self._refused(who))

    def _delivered_over(self, who: str, floor: str = "") -> Figure:
        over = _over(self._delivered_rate(RELAY), self._delivered_rate(who))
        return Figure(over.value, f"{floor}{over.note}; {spent(self.delivered[RELAY].cpu_ms)}")

    def _refused(self, who: str) -> Mapping[str, int]:
        return refused_by({name: self.accepted[name].load for name in (RELAY, who)})

    def _reached(self, rate: Callable[[str], float], over: str) -> str:
        """Say what nothing that uses the SDKs can exceed by much."""
        return f"{SDKS} reach {rate(SDKS) / rate(over):.2f}; "

    def series(self) -> dict[str, object]:
        """Return rates and latencies, for results.json."""
        return {
            "accepted_per_second": {name: one.load.rate for name, one in self.accepted.items()},
            "accepted_cpu_ms": {name: dict(one.cpu_ms) for name, one in self.accepted.items()},
            "refused": {name: dict(one.load.failures) for name, one in self.accepted.items()},
            "latencies_ms": {
                name: [round(1000 * one, 3) for one in thinned(sorted(each.load.latencies))]
                for name, each in self.accepted.items()
            },
            "delivered_per_second": {name: one.rate for name, one in self.delivered.items()},
            "delivered_cpu_ms": {name: dict(one.cpu_ms) for name, one in self.delivered.items()},
        }

    @property
    def refused(self) -> int:
        """Requests that the relay did not accept."""
        return self.accepted[RELAY].load.refused


def _over(ours: float, beside: float) -> Figure:
    return Figure(ours / beside, f"{ours:,.0f}/s of {beside:,.0f}/s")


async def near(running: RunningCloud, sizes: Sizes) -> Findings:
    """Compare on loopback."""
    found = await compare(running, sizes)
    return Findings(found.figures(), {"near": found.series()}, found.refused)


async def distant(running: RunningCloud, sizes: Sizes) -> Findings:
    """Compare on a cloud whose vault and bus are as far away as in a region."""
    found = await compare(running, sizes)
    return Findings(found.distant_figures(), {"distant": found.series()}, found.refused)


async def compare(running: RunningCloud, sizes: Sizes) -> Comparison:
    """Measure the sample, then the relay, then what is empty, and the SDKs alone."""
    accepted: dict[str, Accepted] = {}
    delivered: dict[str, Steady] = {}
    await running.command("stop", "receiver")
    async with host(running, "sender", "sample_sender") as sample:
        accepted[SAMPLE] = await accept(running, sample, sizes)
    delivered[SAMPLE] = await _delivered_by("sample_receiver", running, sizes)
    accepted[RELAY] = await accept(running, running.app("sender"), sizes)
    delivered[RELAY] = await deliver(running, sizes)
    await running.command("stop", "receiver")
    async with host(running, "sender", "empty_function") as empty:
        accepted[EMPTY] = await accept(running, empty, sizes)
    database = str(running.folder / "sdk-sender.sqlite3")
    async with host(running, "sender", "sdk_sender", SAMPLE_DATABASE=database) as sdks:
        accepted[SDKS] = await accept(running, sdks, sizes)
    delivered[EMPTY] = await remove(running, sizes)
    await fill(running, sizes.filled, sizes)
    delivered[SDKS] = await _delivered_by("sdk_receiver", running, sizes)
    return Comparison(accepted, delivered)


async def _delivered_by(sample: str, running: RunningCloud, sizes: Sizes) -> Steady:
    """Measure how a receiver of the samples delivers what is on the queue, until it is empty."""
    begun, depth = await running.received(), await running.depth(QUEUE)
    secret = (await running.control("GET", "/partner/secrets"))["webhook"]
    async with host(running, "receiver", sample, SAMPLE_PARTNER=secret) as receiver:
        arrivals = await running.arrivals(begun, depth, receiver, sizes.drain_seconds)
        await running.emptied(QUEUE, "receipts")
    return steady(arrivals)


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


async def fill(
    running: RunningCloud, count: int, sizes: Sizes, every: int = 0, *, is_traced: bool = False
) -> None:
    """Put so many sealed messages on the queue; see `bench.fill`."""
    arguments = map(str, (count, sizes.payload, every, is_traced))
    await run(running, "sender", "bench.fill", *arguments)


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
