"""What telemetry costs: throughput with it over throughput without, and what a message exports.

As a deployment exports it: one trace in ten and each line of a log, by host and app.
"""

from __future__ import annotations

from bench.cloud import RunningCloud, host
from bench.figures import Figure, Findings, steady
from bench.sizes import Sizes
from bench.throughput import QUEUE, accept, fill
from tests.otlp import Collector, collecting

# The sampler of a deployment is known to Azure Monitor's exporters alone; the share is the same.
_SAMPLING = {"OTEL_TRACES_SAMPLER": "traceidratio", "OTEL_TRACES_SAMPLER_ARG": "0.1"}


async def telemetry(running: RunningCloud, sizes: Sizes) -> Findings:
    """Measure each app with and without, in turns, so that both have as busy a machine."""
    async with collecting() as collector:
        settings = {
            "OTEL_EXPORTER_OTLP_ENDPOINT": collector.settings["OTEL_EXPORTER_OTLP_ENDPOINT"],
            **_SAMPLING,
        }
        await running.command("stop", "receiver")
        async with (
            host(running, "sender") as without,
            host(running, "sender", **settings) as exporting,
        ):
            turns = (without, exporting, exporting, without)
            accepted = [await accept(running, one, sizes) for one in turns]
        messages = sum(len(one.load.latencies) for one in accepted[1:3]) + 2 * sizes.callers
        by_sender = _exported(collector, messages)
        # What is on the queue now is delivered first: the turns after it begin alike.
        await _delivered(running, sizes, {})
        collector.bodies.clear()
        delivered = [await _delivered(running, sizes, one) for one in ({}, settings, settings, {})]
        by_receiver = _exported(collector, 2 * sizes.filled)
        await running.command("start", "receiver")
    items, size = (one + other for one, other in zip(by_sender, by_receiver, strict=True))
    rates = [one.load.rate for one in accepted]
    return Findings(
        {
            "telemetry accepted": _ratio(rates),
            "telemetry delivered": _ratio(delivered),
            "telemetry items": Figure(items, f"{by_sender[0]:.1f} of them by the sender"),
            "telemetry bytes": Figure(size, f"{by_sender[1]:.0f} of them by the sender, by OTLP"),
        }
    )


def _ratio(rates: list[float]) -> Figure:
    without, exporting = (rates[0] + rates[3]) / 2, (rates[1] + rates[2]) / 2
    return Figure(exporting / without, f"{exporting:.0f}/s over {without:.0f}/s")


def _exported(collector: Collector, messages: int) -> tuple[float, float]:
    """Return the spans and lines of a message so far, and their bytes."""
    sizes = [one.size for one in collector.spans] + [one.size for one in collector.lines]
    return len(sizes) / messages, sum(sizes) / messages


async def _delivered(running: RunningCloud, sizes: Sizes, settings: dict[str, str]) -> float:
    """Fill the queue, and return how many messages a second a receiver of its own delivers."""
    await fill(running, sizes.filled, sizes)
    begun, depth = await running.received(), await running.depth(QUEUE)
    async with host(running, "receiver", **settings) as receiver:
        arrivals = await running.arrivals(begun, depth, receiver, sizes.drain_seconds)
        await running.emptied(QUEUE, "receipts")
    return steady(arrivals).rate
