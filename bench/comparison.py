"""What accepts and what delivers in turns, and rows of the table that are ratios of it. Pure."""

from __future__ import annotations

import statistics
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from bench.figures import SDKS, Figure, Steady, median_ratio, spent
from bench.load import RELAY, Load, refused_by

SAMPLE, EMPTY = "the sample", "an empty function"


@dataclass(frozen=True)
class Accepted:
    """What callers got of a sender in a turn, and CPU milliseconds a message, by process."""

    load: Load
    cpu_ms: Mapping[str, float]

    @property
    def rate(self) -> float:
        """Accepted requests a second."""
        return self.load.rate


@dataclass(frozen=True)
class Comparison:
    """What accepted and what delivered on the same cloud, a turn after the other, by name.

    The relay is among both, and the first turns of all followed each other, and so on.
    """

    accepted: Mapping[str, Sequence[Accepted]]
    delivered: Mapping[str, Sequence[Steady]]

    def figures(self) -> dict[str, Figure]:
        """Return the rows of a cloud on loopback."""
        return {
            "accepted empty": self._accepted_over(EMPTY, with_floor=True),
            "delivered empty": self._delivered_over(EMPTY, with_floor=True),
            "accepted SDKs": self._accepted_over(SDKS),
            "delivered SDKs": self._delivered_over(SDKS),
            "sender CPU": Figure(
                _worker_ratio(self.accepted), spent(_cpu(self.accepted)), self._refused(SAMPLE)
            ),
            "receiver CPU": Figure(_worker_ratio(self.delivered), spent(_cpu(self.delivered))),
            "accepted": self._accepted_over(SAMPLE, with_floor=True),
            "delivered": self._delivered_over(SAMPLE, with_floor=True),
        }

    def distant_figures(self) -> dict[str, Figure]:
        """Return the rows of a cloud that is as far away as a region."""
        return {
            "accepted distant": self._accepted_over(SAMPLE, with_floor=True),
            "delivered distant": self._delivered_over(SAMPLE, with_floor=True),
        }

    def _accepted_over(self, who: str, *, with_floor: bool = False) -> Figure:
        return replace(_over(self.accepted, who, with_floor=with_floor), refused=self._refused(who))

    def _delivered_over(self, who: str, *, with_floor: bool = False) -> Figure:
        return _over(self.delivered, who, with_floor=with_floor)

    def _refused(self, who: str) -> Mapping[str, int]:
        return refused_by({name: self._load(name) for name in (RELAY, who)})

    def _load(self, who: str) -> Load:
        """Return all turns as one."""
        loads = [one.load for one in self.accepted[who]]
        return Load(
            sum(one.seconds for one in loads),
            [seconds for one in loads for seconds in one.latencies],
            sum((Counter(one.failures) for one in loads), Counter()),
        )

    def series(self) -> dict[str, object]:
        """Return rates and latencies, for results.json."""
        loads = {name: self._load(name) for name in self.accepted}
        return {
            "accepted_per_second": _rates(self.accepted),
            "accepted_cpu_ms": {name: _cpu(self.accepted, name) for name in self.accepted},
            "refused": {name: dict(load.failures) for name, load in loads.items()},
            "latencies_ms": {
                name: [round(1000 * one, 3) for one in thinned(sorted(load.latencies))]
                for name, load in loads.items()
            },
            "delivered_per_second": _rates(self.delivered),
            "delivered_cpu_ms": {name: _cpu(self.delivered, name) for name in self.delivered},
        }

    @property
    def refused(self) -> int:
        """Requests that the relay did not accept."""
        return self._load(RELAY).refused


_Turns = Mapping[str, Sequence[Accepted]] | Mapping[str, Sequence[Steady]]


def _over(turns: _Turns, who: str, *, with_floor: bool) -> Figure:
    rates = _rates(turns)
    note = f"{rates[RELAY]:,.0f}/s of {rates[who]:,.0f}/s; {spent(_cpu(turns))}"
    floor = _ratio(turns, SDKS, who) if with_floor else None
    return Figure(_ratio(turns, RELAY, who), note, floor=floor)


def _ratio(turns: _Turns, one: str, other: str) -> float:
    return median_ratio([each.rate for each in turns[one]], [each.rate for each in turns[other]])


def _worker_ratio(turns: _Turns) -> float:
    ours, theirs = ([each.cpu_ms["worker"] for each in turns[name]] for name in (RELAY, SAMPLE))
    return median_ratio(ours, theirs)


def _rates(turns: _Turns) -> dict[str, float]:
    return {name: statistics.median(one.rate for one in each) for name, each in turns.items()}


def _cpu(turns: _Turns, who: str = RELAY) -> dict[str, float]:
    found = [one.cpu_ms for one in turns[who]]
    return {name: statistics.median(one[name] for one in found) for name in found[0]}


def thinned(ordered: list[float], most: int = 200) -> list[float]:
    """Return at most so many values, evenly from the smallest to the largest."""
    if len(ordered) <= most:
        return ordered
    return [ordered[i * (len(ordered) - 1) // (most - 1)] for i in range(most)]
