"""The account of a stream: where each message is, and why any of them came more than once."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from tests.faults.stream import Promise
from tests.faults.trouble import Break
from tests.pipeline.cloud_process import Received

REASONS = {"fault=400": "partner-refused", "fault=422": "partner-refused"}
Gap = tuple[float, float]
"""When a message arrived at the partner first, and when it did so once more."""

_NEAR = 30.0  # seconds
_MARGIN = 1.0  # seconds between what happens and when the test or the partner notes it


@dataclass
class Account:
    """Where each promised message is in the end."""

    promises: dict[str, Promise]
    delivered: dict[str, list[Received]]
    rejected: dict[str, list[dict[str, Any]]]
    ledger: dict[str, str]
    breaks: Sequence[Break]
    happened: Sequence[tuple[str, float, float]] = ()
    unanswered: Mapping[str, Sequence[float]] = field(default_factory=dict)
    repeats: Counter[str] = field(init=False)
    unexplained: list[Gap] = field(init=False)

    def __post_init__(self) -> None:
        gaps: list[Gap] = []
        answers_lost = 0
        for one in self.promises:
            arrived = sorted(received.at for received in self.delivered.get(one, []))
            # From the first delivery on, not the last: beside a hop that could not be completed,
            # the next one is under way, and the bus may deliver either again.
            repeats = [(arrived[0], again) for again in arrived[1:]]
            left = without_answer(repeats, self.unanswered.get(one, []))
            answers_lost += len(repeats) - len(left)
            gaps += left
        self.repeats, self.unexplained = explained(gaps, self.breaks)
        self.repeats[NO_ANSWER] += answers_lost

    def check(self) -> None:
        for promise in self.promises.values():
            if promise.mark:
                reasons = {one["relay-reason"] for one in self.rejected[promise.id]}
                assert reasons == {REASONS[promise.mark]}
                assert promise.id not in self.delivered
                continue
            assert promise.id in self.delivered, f"{promise.id} is lost"
            assert promise.id not in self.rejected
            for one in self.delivered[promise.id]:
                assert hashlib.sha256(one.body).hexdigest() == promise.sha256
                assert one.verified
        assert self.promises.keys() <= self.ledger.keys()
        wrong = {one: state for one, state in self.ledger.items() if state != self._place(one)}
        assert wrong == {}, "the ledger says otherwise"
        assert not self.unexplained, f"more repeats than messages under way\n{self._near()}"

    def _near(self) -> str:
        """Show each repeat that nothing explains, and what happened near it."""
        times = Counter((round(first), round(second)) for first, second in self.unexplained)
        lines = [f"{n} delivered at {a} and again at {b}" for (a, b), n in sorted(times.items())]
        spans = [(one.begin, one.end, f"{one.kind}, at most {one.most}") for one in self.breaks]
        spans += [(begin, end, name) for name, begin, end in self.happened]
        lines += [
            f"{begin:.1f} to {end:.1f}: {what}"
            for begin, end, what in sorted(spans)
            if any(begin - _NEAR < two and one < end + _NEAR for one, two in self.unexplained)
        ]
        return "\n".join(lines)

    def _place(self, message_id: str) -> str:
        """Say as the ledger should where a message is; it also knows of tries that failed."""
        if message_id in self.delivered:
            return "delivered"
        return "rejected" if message_id in self.rejected else "accepted"

    def __str__(self) -> str:
        states = Counter(self.ledger.values())
        marked = Counter(p.mark for p in self.promises.values() if p.mark)
        nowhere = self.promises.keys() - self.delivered.keys() - self.rejected.keys()
        most = Counter[str]()
        for one in self.breaks:
            most[one.kind] += one.most
        times = Counter(one.kind for one in self.breaks)
        lines = [
            f"answered 202:         {len(self.promises):6}",
            f"at the partner:       {len(self.delivered.keys() & self.promises.keys()):6}",
            f"rejected:             {len(self.rejected.keys() & self.promises.keys()):6}",
            *(f"  of them {mark}: {count:6}" for mark, count in sorted(marked.items())),
            f"in the ledger:        {len(self.ledger):6}",
            *(f"  of them {state}: {count:6}" for state, count in sorted(states.items())),
            f"in neither place:     {len(nowhere):6}",
            f"repeats at the partner:{self.repeats.total():5}",
            *(
                f"  {self.repeats[kind]:5} by {kind}, {times[kind]} times, at most {most[kind]}"
                for kind in sorted({*times, *self.repeats})
            ),
        ]
        return "\n".join(lines)


UNEXPLAINED = "nothing that happened"
NO_ANSWER = "posts without an answer"


def without_answer(gaps: Sequence[Gap], unanswered: Sequence[float]) -> list[Gap]:
    """Return those of a message's gaps in which no post of it was left without an answer.

    Each such post, by the time when the receiver gave up waiting, explains one repeat.
    """
    times = sorted(unanswered)
    left: list[Gap] = []
    for first, second in gaps:
        time = next((one for one in times if first - _MARGIN < one < second + _MARGIN), None)
        if time is None:
            left.append((first, second))
        else:
            times.remove(time)
    return left


def explained(gaps: Sequence[Gap], breaks: Sequence[Break]) -> tuple[Counter[str], list[Gap]]:
    """Count repeats by what explains each, and return those that nothing does.

    What explains a repeat happened between the first delivery of its message and the repeat.
    Nothing explains more than it had under way: each repeat goes to what ended first and has not
    explained its most yet.
    """
    in_order = sorted(breaks, key=lambda one: one.end)
    left = [one.most for one in in_order]
    kinds: Counter[str] = Counter()
    unexplained: list[Gap] = []
    for first, second in sorted(gaps, key=lambda gap: gap[1]):
        fitting = (
            number
            for number, one in enumerate(in_order)
            if left[number] and one.begin - _MARGIN < second and first < one.end + _MARGIN
        )
        number = next(fitting, None)
        if number is None:
            kinds[UNEXPLAINED] += 1
            unexplained.append((first, second))
        else:
            left[number] -= 1
            kinds[in_order[number].kind] += 1
    return kinds, unexplained
