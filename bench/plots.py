"""The plots of a run, as PNG files, from results.json."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import ScalarFormatter

_SIZE = (7.0, 4.0)  # inches


def draw(results: Mapping[str, Any], folder: Path) -> list[Path]:
    """Draw what the run has series for; return the files."""
    folder.mkdir(parents=True, exist_ok=True)
    series = results["series"]
    drawn = []
    for name, (needs, plot) in _PLOTS.items():
        if needs in series:
            figure = Figure(_SIZE, layout="constrained")
            plot(figure.subplots(), series[needs])
            path = folder / f"{name}.png"
            # Without the version of matplotlib in it, the same plot is the same file.
            figure.savefig(path, dpi=110, metadata={"Software": None})
            drawn.append(path)
    return drawn


def _callers(axes: Axes, points: Sequence[Mapping[str, Any]]) -> None:
    _rates(axes, points, "callers", "callers at once")
    axes.set_xscale("log", base=2)
    axes.set_xticks([point["callers"] for point in points])
    axes.xaxis.set_major_formatter(ScalarFormatter())


def _payloads(axes: Axes, points: Sequence[Mapping[str, Any]]) -> None:
    _rates(axes, points, "bytes", "bytes of payload")
    axes.set_xscale("log")


def _rates(axes: Axes, points: Sequence[Mapping[str, Any]], x: str, label: str) -> None:
    at = [point[x] for point in points]
    axes.plot(at, [point["per_second"] for point in points], marker="o", label="Sealed Relay")
    empty = [point["empty"]["per_second"] for point in points]
    axes.plot(at, empty, marker="s", linestyle="--", label="an empty function")
    axes.set(xlabel=label, ylabel="accepted a second", ylim=(0, None))
    axes.legend()


def _drain(axes: Axes, points: Sequence[Mapping[str, Any]]) -> None:
    whole = [point for point in points if point["delivered"] >= point["depth"]]
    axes.plot([one["depth"] for one in whole], [one["seconds"] for one in whole], marker="o")
    for point in points:
        if point["delivered"] < point["depth"]:
            text = f"stopped: {point['delivered']:,} of {point['depth']:,}"
            axes.annotate(text, (point["depth"], point["seconds"]), ha="right")
            axes.plot([point["depth"]], [point["seconds"]], marker="x", color="tab:red")
    axes.set(xlabel="messages on the queue", ylabel="seconds until all are delivered")
    axes.set_xscale("log")
    axes.set_yscale("log")


def _latency(axes: Axes, series: Mapping[str, Any]) -> None:
    for name, milliseconds in series["latencies_ms"].items():
        shares = [100 * (n + 1) / len(milliseconds) for n in range(len(milliseconds))]
        axes.plot(milliseconds, shares, label=name)
    axes.set(xlabel="milliseconds until accepted", ylabel="per cent of the requests")
    axes.set_xscale("log")
    axes.legend()


def _envelopes(axes: Axes, series: Mapping[str, Any]) -> None:
    measured = {name: over for name, over in series.items() if isinstance(over, dict)}
    height = 0.8 / max(1, len(measured))
    for number, (name, over) in enumerate(measured.items()):
        places = [row + number * height for row in range(len(over))]
        axes.barh(places, list(over.values()), height, label=name)
    sizes = list(next(iter(measured.values())))
    axes.set_yticks([row + 0.4 for row in range(len(sizes))], sizes)
    axes.set(xlabel="seal + open, times that of AES-GCM alone")
    axes.set_xscale("log")
    axes.set_xlim(left=1)
    axes.legend(fontsize="small", loc="upper center", bbox_to_anchor=(0.5, -0.15), ncols=2)


_PLOTS: Mapping[str, tuple[str, Callable[[Axes, Any], None]]] = {
    "callers": ("callers", _callers),
    "payloads": ("payloads", _payloads),
    "drain": ("drain", _drain),
    "latency": ("near", _latency),
    "envelopes": ("envelopes", _envelopes),
}
