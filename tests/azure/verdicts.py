"""What counts as passed: pure, each function naming what is wrong, nothing where all is well."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from shared.partner.retries import Schedule
from tests.azure.readings import Key

_SHOWN = 3
_IDLE_MINUTES = 5
_JITTER = 1.2  # what the receiver adds to a delay at most: a fifth
_WAKING = 600.0  # seconds for a receiver that has scaled to zero, generously


@dataclass(frozen=True)
class Answers:
    """What callers were answered: statuses with their counts, and the ids of what was accepted.

    `without_retry_after` counts 503s that did not say when to come back; `broken` are requests
    without an answer, by what broke.
    """

    statuses: Mapping[int, int]
    accepted: Sequence[str] = field(default=(), repr=False)
    without_retry_after: int = 0
    broken: Mapping[str, int] = field(default_factory=dict)


def same_key(before: Key, after: Key) -> list[str]:
    """Hold a key after a deployment to the key before it."""
    if before.version != after.version:
        return [f"the deployment made a new version of the key: {before.version}, {after.version}"]
    if before.expires != after.expires:
        return [f"the deployment moved the key's expiry: {before.expires}, {after.expires}"]
    return []


def delivered(sent: Iterable[str], arrived: Mapping[str, int]) -> list[str]:
    """Hold what the partner has to what was accepted; repeats are allowed and no fault."""
    missing = sorted(set(sent) - arrived.keys())
    if not missing:
        return []
    return [f"{len(missing)} accepted messages are not at the partner: {_some(missing)}"]


def no_early_arrival(sent: Iterable[str], arrived: Mapping[str, int]) -> list[str]:
    """Hold a partner that is away to be away: what arrives meanwhile shows that it was not."""
    early = sorted(set(sent) & arrived.keys())
    return [f"{len(early)} messages arrived while the partner was away"] if early else []


def took_load(answers: Answers) -> list[str]:
    """Hold answers under load to what is documented: 202, or 503 that says when to come back."""
    problems = [
        f"{count} answers of status {status}"
        for status, count in sorted(answers.statuses.items())
        if status not in (202, 503)
    ]
    problems += [f"{count} requests broke: {why}" for why, count in sorted(answers.broken.items())]
    if answers.without_retry_after:
        problems.append(f"{answers.without_retry_after} answers 503 without Retry-After")
    if not answers.statuses.get(202):
        problems.append("no message was accepted")
    if len(answers.accepted) != answers.statuses.get(202, 0):
        problems.append("an answer 202 did not name its message")
    return problems


def within_connections(measured: Sequence[float | None], most: int) -> list[str]:
    """Hold the connections of a database, as it measured them, to what it takes."""
    highest = peak(measured)
    if highest is None:
        return ["the database measured no connections: nothing is known"]
    if highest > most:
        return [f"{highest:g} connections, and the database takes {most}"]
    return []


def not_at_zero(instances: Sequence[float | None]) -> list[str]:
    """Hold an idle app to have no instance in the last minutes, after having had one.

    No value is taken for none there, since Azure Monitor has nothing to measure where nothing
    runs; but an app that was never measured at all shows nothing.
    """
    if peak(instances) is None:
        return ["its instances were never measured: nothing is known"]
    last = peak(instances[-_IDLE_MINUTES:])
    if last:
        return [f"it was not at zero, but at {last:g} instances"]
    return []


def peak(measured: Sequence[float | None]) -> float | None:
    """Return the highest value, None where there is none."""
    return max((value for value in measured if value is not None), default=None)


def last_attempt_seconds(schedule: Schedule, away: float) -> float:
    """Return how many seconds after its first attempt the last message of an absence is delivered.

    A message that came in just as the partner went away has its attempts at the sums of the
    schedule; the first of them after `away` seconds delivers it, with the most jitter there is.
    """
    due = 0.0
    for delay in schedule.delays:
        if due > away:
            break
        due += delay * _JITTER
    return max(due, away) + _WAKING


def counted(statuses: Iterable[int]) -> Mapping[int, int]:
    """Count statuses."""
    return dict(Counter(statuses))


def _some(ids: Sequence[str]) -> str:
    more = f" and {len(ids) - _SHOWN} more" if len(ids) > _SHOWN else ""
    return ", ".join(ids[:_SHOWN]) + more
