"""What telemetry costs: throughput and CPU with it over those without, and what a message exports.

As a deployment exports it: one trace in ten and each line of a log, by host and app. Each message
names a trace, as a caller with telemetry gives it: so the work is the same with and without. The
collector only keeps what it is sent, but on the processors of everything else; so the CPU of the
app's own processes, host and worker, has rows of its own.
"""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import replace
from typing import TypeVar

from bench.cloud import RunningCloud, host
from bench.comparison import Accepted
from bench.figures import Figure, Findings, Steady, median_ratio
from bench.sizes import Sizes
from bench.throughput import accept, delivered_by, fill
from tests.otlp import Collector, collecting

T = TypeVar("T")

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
        short = replace(sizes, load_seconds=sizes.telemetry_seconds)
        async with (
            host(running, "sender") as without,
            host(running, "sender", **settings) as exporting,
        ):
            hosts = sizes.telemetry_rounds * (without, exporting, exporting, without)
            accepted = [await accept(running, one, short, is_traced=True) for one in hosts]
        messages = sum(len(one.load.latencies) + sizes.callers for one in _with(accepted))
        by_sender = _exported(collector, messages)
        # What is on the queue now is delivered first: the turns after it begin alike.
        await _delivered(running, sizes, {})
        collector.bodies.clear()
        turns = sizes.telemetry_rounds * ({}, settings, settings, {})
        delivered = [await _delivered(running, sizes, one) for one in turns]
        by_receiver = _exported(collector, len(_with(delivered)) * sizes.filled)
        await running.command("start", "receiver")
    items, size = (one + other for one, other in zip(by_sender, by_receiver, strict=True))
    return Findings(
        {
            "telemetry accepted": _rates(accepted),
            "telemetry delivered": _rates(delivered),
            "telemetry sender CPU": _cpu(accepted),
            "telemetry receiver CPU": _cpu(delivered),
            "telemetry items": Figure(items, f"{by_sender[0]:.1f} of them by the sender"),
            "telemetry bytes": Figure(size, f"{by_sender[1]:.0f} of them by the sender, by OTLP"),
        },
        refused=sum(one.load.refused for one in accepted),
    )


def _with(turns: Sequence[T]) -> Sequence[T]:
    """Return the turns with telemetry: of four, those in the middle."""
    return [one for number, one in enumerate(turns) if number % 4 in (1, 2)]


def _without(turns: Sequence[T]) -> Sequence[T]:
    return [one for number, one in enumerate(turns) if number % 4 in (0, 3)]


def _rates(turns: Sequence[Accepted] | Sequence[Steady]) -> Figure:
    return _compared([one.rate for one in turns], "{:.0f}/s over {:.0f}/s")


def _cpu(turns: Sequence[Accepted] | Sequence[Steady]) -> Figure:
    """Compare the CPU of the app's own processes."""
    values = [one.cpu_ms["host"] + one.cpu_ms["worker"] for one in turns]
    return _compared(values, "{:.2f} ms a message over {:.2f} ms")


def _compared(values: Sequence[float], note: str) -> Figure:
    """Return what pairs of neighbours have as their ratio."""
    exporting, without = _with(values), _without(values)
    medians = statistics.median(exporting), statistics.median(without)
    ratio = median_ratio(exporting, without)
    return Figure(ratio, f"{note.format(*medians)}, medians of {len(without)} pairs")


def _exported(collector: Collector, messages: int) -> tuple[float, float]:
    """Return the spans and lines of a message so far, and their bytes."""
    sizes = [one.size for one in collector.spans] + [one.size for one in collector.lines]
    return len(sizes) / messages, sum(sizes) / messages


async def _delivered(running: RunningCloud, sizes: Sizes, settings: dict[str, str]) -> Steady:
    """Fill the queue, and return what a receiver of its own does with it."""
    await fill(running, sizes.filled, sizes, is_traced=True)
    return await delivered_by(running, sizes, **settings)
