"""The table of figures: what each must be, and whether it is. Pure."""

from __future__ import annotations

import statistics
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

BUSY = 0.5
"""Processes a processor, in the minute before, from which on a machine was not quiet."""

OTHERS = 0.1
"""The share of all processors that others used meanwhile, from which on it was not quiet."""

_REACHED, _NOT_MEASURED = "reached", "not measured"
_OUT_OF_REACH = "out of reach"  # the SDKs alone miss the bound as well, in the same run
_NOT_REACHED = "not reached"
_VERDICTS = (_REACHED, _OUT_OF_REACH, _NOT_REACHED, _NOT_MEASURED)

SDKS = "the SDKs alone"
"""The name of the floor: what does the least that must be done, by the same SDKs."""


@dataclass(frozen=True)
class Bound:
    """What a figure must be: at most, or at least, a value."""

    kind: Literal["at most", "at least"]
    value: float

    def holds(self, figure: float) -> bool:
        """Return whether `figure` is within the bound."""
        return figure <= self.value if self.kind == "at most" else figure >= self.value

    def __str__(self) -> str:
        return f"{self.kind} {self.value:g}"


@dataclass(frozen=True)
class Expected:
    """A row of the table before it is measured; `before` is what it was when the bound was set."""

    name: str
    bound: Bound | None = None
    before: str = ""


@dataclass(frozen=True)
class Figure:
    """What was measured for a row: a value, and where the time went or what was counted.

    `refused` is how many requests each of those compared did not accept; those without are left
    out. `floor` is what the SDKs alone reach, measured in the same turns: nothing made of them is
    much better.
    """

    value: float
    note: str = ""
    refused: Mapping[str, int] = field(default_factory=dict)
    floor: float | None = None


@dataclass(frozen=True)
class Findings:
    """What a group of measurements found: figures by row, and series for the plots by name.

    `refused` is how many requests the relay did not accept, in rows and series.
    """

    figures: Mapping[str, Figure] = field(default_factory=dict)
    series: Mapping[str, object] = field(default_factory=dict)
    refused: int = 0


@dataclass(frozen=True)
class Row:
    """A row of the table. `figure` is None where nothing was measured; `note` then says why."""

    expected: Expected
    figure: float | None
    note: str = ""
    refused: Mapping[str, int] = field(default_factory=dict)
    floor: float | None = None

    @property
    def verdict(self) -> str:
        """One of `_VERDICTS`, or nothing for a row without a bound."""
        if self.figure is None:
            return _NOT_MEASURED
        bound = self.expected.bound
        if bound is None:
            return ""
        if bound.holds(self.figure):
            return _REACHED
        is_out_of_reach = self.floor is not None and not bound.holds(self.floor)
        return _OUT_OF_REACH if is_out_of_reach else _NOT_REACHED


def rows(
    expected: Mapping[str, Expected], figures: Mapping[str, Figure], failures: Mapping[str, str]
) -> list[Row]:
    """Join what was expected with what was measured; `failures` has why a row has no figure.

    Raises `ValueError` for a figure that no row expects: it would be lost without a word.
    """
    if unknown := sorted(figures.keys() - expected.keys()):
        raise ValueError(f"no row of the table is named {', '.join(unknown)}")
    joined = []
    for name, row in expected.items():
        if figure := figures.get(name):
            joined.append(Row(row, figure.value, figure.note, figure.refused, figure.floor))
        else:
            joined.append(Row(row, None, failures.get(name, "nothing measured it")))
    return joined


def as_json(row: Row) -> dict[str, object]:
    """Return a row as results.json has it."""
    bound = row.expected.bound
    return {
        "name": row.expected.name,
        "before": row.expected.before,
        "bound": str(bound) if bound else "",
        "figure": row.figure,
        "floor": row.floor,
        "verdict": row.verdict,
        "note": row.note,
        "refused": dict(row.refused),
    }


def made_on(results: Mapping[str, Any]) -> str:
    """Return where and when results.json was made, and whether anything else ran there."""
    machine, before = results["machine"], results["before"]
    others: float | None = results.get("others")  # results of November 2026 do not have it
    # What ran meanwhile counts: the load before is a mean, of minutes that are over.
    is_quiet = not is_busy(before, machine["processors"]) if others is None else others <= OTHERS
    return (
        f"{machine['system']}, {machine['processors']} processors, Python {machine['python']}, "
        f"{before['at'][:10]}, in {results['seconds'] / 60:.0f} minutes; "
        f"{before['load_average'][0]:g} processes ran before"
        f"{'' if others is None else f', and others used {100 * others:.0f} % meanwhile'}"
        f"{'.' if is_quiet else ': **the machine was not quiet, so the figures mean little.**'}"
    )


def is_busy(load: Mapping[str, Any], processors: int) -> bool:
    """Return whether so much ran on a machine that what is measured on it would mean little."""
    return bool(load["load_average"][0] > BUSY * processors)


def markdown(results: Iterable[Mapping[str, Any]]) -> str:
    """Return the rows of results.json as a table of a document."""
    lines = [
        "| what | before | must be | measured | |",
        "|---|---|---|---|---|",
    ]
    for row in results:
        figure = row["figure"]
        measured = "" if figure is None else shown(float(str(figure)))
        verdict = str(row["verdict"])
        notes = [reason(row), refusals(row.get("refused") or {})]
        last = ": ".join(filter(None, (verdict, "; ".join(filter(None, notes)))))
        lines.append(f"| {row['name']} | {row['before']} | {row['bound']} | {measured} | {last} |")
    return "\n".join(lines)


def reason(row: Mapping[str, Any]) -> str:
    """Return why a row of results.json is not reached; nothing of one that is or has no bound."""
    if row["verdict"] in ("", _REACHED):
        return ""
    floor = row.get("floor")
    alone = "" if floor is None else f"{SDKS} reach {shown(float(floor))}"
    return "; ".join(filter(None, (alone, str(row["note"]))))


def tally(results: Iterable[Mapping[str, Any]]) -> str:
    """Return how many rows of results.json have which verdict."""
    counted = Counter(row["verdict"] for row in results)
    return ", ".join(f"{counted[name]} {name}" for name in _VERDICTS if counted[name])


def refusals(refused: Mapping[str, int]) -> str:
    """Return who did not accept how many requests: what failed was not as fast as it looks."""
    return ", ".join(f"{who} refused {count:,}" for who, count in refused.items())


def shown(value: float) -> str:
    """Return a figure with three significant digits, but all of a whole number."""
    if value == int(value) or abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.3g}"


def percentile(values: Sequence[float], share: float) -> float:
    """Return the smallest value that at least `share` of them (0 to 1) do not exceed.

    Raises `ValueError` where there are none.
    """
    if not values:
        raise ValueError("there are no values")
    ordered = sorted(values)
    position = max(0, -(-round(share * len(ordered) * 1e9) // 10**9) - 1)
    return ordered[min(position, len(ordered) - 1)]


def median_ratio(ours: Sequence[float], theirs: Sequence[float]) -> float:
    """Return the median of the ratios of pairs: what was measured one right after the other.

    A machine is slower for some seconds now and then, by more than many a difference is.
    """
    return statistics.median(one / other for one, other in zip(ours, theirs, strict=True))


@dataclass(frozen=True)
class Sample:
    """How many messages had arrived at a time, and the CPU used by then; all in seconds."""

    at: float
    count: int
    cpu: Mapping[str, float]


@dataclass(frozen=True)
class Steady:
    """What holds between the first and the last tenth: a rate a second, milliseconds a message."""

    rate: float
    cpu_ms: Mapping[str, float]


def steady(samples: Sequence[Sample]) -> Steady:
    """Return rate and CPU without the first and the last tenth, where parts of it stand still.

    Raises `ValueError` where fewer than two samples differ in their count.
    """
    if not samples:
        raise ValueError("nothing was sampled")
    first, last = samples[0].count, samples[-1].count
    low, high = first + (last - first) * 0.1, first + (last - first) * 0.9
    begin = next(one for one in samples if one.count >= low)
    end = next(one for one in samples if one.count >= high)
    if end.count == begin.count or end.at <= begin.at:
        # So few messages that they came at once: from the sample before them.
        position = samples.index(begin)
        begin = samples[max(0, position - 1)]
        end = samples[-1]
    count, seconds = end.count - begin.count, end.at - begin.at
    if count <= 0 or seconds <= 0:
        raise ValueError("no message arrived between two samples")
    used = {name: (end.cpu[name] - begin.cpu.get(name, 0.0)) * 1000 / count for name in end.cpu}
    return Steady(count / seconds, used)


def spent(cpu_ms: Mapping[str, float]) -> str:
    """Return where the CPU time of a message went, the most first."""
    ordered = sorted(cpu_ms.items(), key=lambda item: -item[1])
    return "CPU ms a message: " + ", ".join(f"{name} {ms:.2f}" for name, ms in ordered)
