"""Three days of a bad partner: what they cost, who is rejected, and when all of it has drained."""

from __future__ import annotations

import os
import random
from collections import Counter
from itertools import groupby, pairwise
from pathlib import Path

import pytest

from shared.apps.admission import waiting_bytes
from shared.apps.catch_up import FIRST_SECONDS
from shared.message.state import State
from shared.partner.parked import LONGEST_WAIT
from shared.settings.settings import ReceiverSettings
from tests.faults.bad_days import (
    A_SECOND,
    DAYS,
    INSTANCES,
    JUDGED,
    LIMIT_MB,
    MESSAGES,
    PAYLOAD,
    POLICY,
    RATE,
    Play,
    comes_at,
)
from tests.faults.bad_partner import Period
from tests.faults.virtual_bus import MIB
from tests.unit.shared.apps.days import HOUR
from tests.unit.shared.apps.virtual_time import run

pytestmark = [pytest.mark.long, pytest.mark.alone]

IDS = frozenset(f"m{n}" for n in range(MESSAGES))
# After these the partner accepts for an hour or more.
LAST_OF_BAD = [
    number
    for number, (period, after) in enumerate(pairwise(DAYS))
    if not period.accepts and after.accepts and after.end - after.begin >= HOUR
]
RETURNS = sum(not period.accepts and after.accepts for period, after in pairwise(DAYS))
# A message that the partner refuses alone is posted by each instance as the schedule says, and
# once more each time that the partner is back, when it is brought forward.
MOST_POSTS_OF_ONE = INSTANCES * (len(ReceiverSettings.retry_schedule.delays) + 1 + RETURNS)
LONGEST_PARKED = LONGEST_WAIT * 1.25
ASKED_CALLERS_WAIT = 35.0  # what a caller is asked to wait, and the age of the sender's figure


def most_failures(number: int) -> int:
    return DAYS[number].most_failures(POLICY, INSTANCES, A_SECOND)


def drain_seconds(play: Play, number: int) -> float:
    """Return how long after a period the partner had all that came until its end."""
    end = DAYS[number].end
    came = (n for n in range(MESSAGES) if comes_at(n) < end and f"m{n}" not in JUDGED)
    return max(play.partner.accepted_at[f"m{n}"] for n in came) - end


def most_drain_seconds(number: int) -> float:
    """Return how long that may take, by the settings.

    A probe has to succeed, what waits is brought forward, and then it and what callers have kept
    goes at the set rate, or as fast as the sender accepts what it has room for. Where the queue of
    retries was full, no copy fits on it, and what waits comes when it is due.
    """
    period, before = DAYS[number], DAYS[number - 1]
    first = (
        next(one for one in DAYS if one.kind == period.kind) if period.kind == "flaps" else period
    )
    room = LIMIT_MB * MIB / waiting_bytes(1, len(PAYLOAD))
    probe = POLICY.breaker.longest_interval * 1.2 + ReceiverSettings.partner_timeout_seconds
    asked = max(probe, float(period.headers.get("Retry-After", 0)))
    pace = min(INSTANCES * RATE, room / ASKED_CALLERS_WAIT)
    kept = A_SECOND * (period.end - first.begin)
    waits = 0.0 if period.ledger_works and before.ledger_works else LONGEST_PARKED
    return asked + FIRST_SECONDS + room / RATE + kept / pace + waits


def unknown_attempts(play: Play) -> set[str]:
    """Return the ids of messages whose attempts not all may be known to who made the last.

    A full queue leaves them where they are; what one instance has decided meanwhile, another that
    gets the message does not know, though it may only have it wait.
    """
    by_instance = Counter(one for handled in play.handled for one in handled)
    left = play.messages.left | play.retries.left
    return {one for one in left if by_instance[one] > 1}


def attempts_of(play: Play) -> dict[str, int]:
    """Return the attempts that the outcome of each message names."""
    rejected = play.results.rejected.items()
    return {one: int(why["relay-attempts"]) for one, why in rejected} | play.results.delivered


def counted_posts(play: Play) -> dict[str, int]:
    """Return the posts of each message, without those that were denied to all: no attempts."""
    return {one: play.partner.posts[one] - play.uncounted[one] for one in IDS}


def differing(play: Play) -> set[str]:
    """Return the ids of messages whose outcome does not name all of their posts as attempts."""
    attempts, posts = attempts_of(play), counted_posts(play)
    return {one for one in IDS if attempts[one] != posts[one]}


def account(play: Play, seed: int) -> str:
    partner = play.partner
    lines = [f"seed {seed}; posts that failed, and the bound of each kind of trouble:"]
    numbers = [number for number, period in enumerate(DAYS) if not period.accepts]
    for kind, group in groupby(numbers, key=lambda n: DAYS[n].kind):
        of_kind = list(group)
        failed = sum(partner.failed[n] for n in of_kind)
        lines.append(f"  {kind:22} {failed:6} of {sum(map(most_failures, of_kind)):6}")
    for message_id, status in JUDGED.items():
        posts = partner.posts[message_id]
        lines.append(f"  {status} for {message_id:14} {posts:6} of {MOST_POSTS_OF_ONE:6}")
    lines += [
        f"posts in all:            {partner.posts.total():6}",
        f"accepted by the partner: {len(partner.accepted_at):6} of {MESSAGES}",
        f"waited without attempt:  {play.parked:6} times",
        f"callers refused:         {play.callers_refused:6} times",
        *(
            f"{queue.name} refused:{' ' * (15 - len(queue.name))} {len(queue.refused_at):6} times"
            for queue in (play.messages, play.retries)
        ),
        f"attempts not all known:  {len(differing(play)):6}, left by a full queue",
        "rejected:",
        *(
            f"  {message_id}: {why['relay-detail']}, after {why['relay-attempts']} attempts"
            for message_id, why in play.results.rejected.items()
        ),
        "drained, in seconds after the partner was back:",
        *(
            f"  {DAYS[n].kind:22} {drain_seconds(play, n):6.0f} of {most_drain_seconds(n):6.0f}"
            for n in LAST_OF_BAD
        ),
    ]
    return "\n".join(lines)


def may_be_full(at: float, without_ledger: list[Period]) -> bool:
    """Return whether a queue may refuse at a time: nobody could count what is under way."""
    return any(one.begin <= at < one.end + LONGEST_PARKED for one in without_ledger)


def test_three_days_of_a_bad_partner_cost_few_posts_and_reject_only_what_it_refuses(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    seed = int(os.environ.get("SEED") or 7)
    play = Play(random.Random(seed), tmp_path)  # noqa: S311 - repeatable, and no secret
    run(play.run())
    with capsys.disabled():
        print(f"\n{account(play, seed)}")
    partner, results = play.partner, play.results
    assert partner.accepted_at.keys() == IDS - JUDGED.keys(), "and nothing is lost"
    assert partner.repeats == 0

    for number in range(len(DAYS)):
        assert partner.failed[number] <= most_failures(number), DAYS[number]
    assert all(partner.posts[one] <= MOST_POSTS_OF_ONE for one in JUDGED)

    assert results.rejected.keys() == JUDGED.keys()
    assert {why["relay-reason"] for why in results.rejected.values()} == {"partner-refused"}

    attempts, posts, unknown = attempts_of(play), counted_posts(play), unknown_attempts(play)
    not_all_named = differing(play)
    assert not_all_named <= unknown
    assert len(not_all_named) <= sum(
        most_failures(n) for n, one in enumerate(DAYS) if not one.ledger_works
    )
    assert all(1 <= attempts[one] <= posts[one] for one in unknown)
    final = [r for r in results.receipts if r.state in (State.DELIVERED, State.REJECTED)]
    assert {receipt.message_id: receipt.attempts for receipt in final} == attempts

    without_ledger = [period for period in DAYS if not period.ledger_works]
    for queue in (play.messages, play.retries):
        assert queue.refused_at, "the queues are small enough to be full"
        assert all(may_be_full(at, without_ledger) for at in queue.refused_at)
        assert queue.locks_lost == 0
        assert queue.is_empty
    assert play.callers_refused > len(play.messages.refused_at), "most before a queue was full"

    assert partner.overloads == 0
    for client in play.clients:
        assert all(later - at >= 1 / RATE - 1e-6 for at, later in pairwise(client.posted_at))
    for number in LAST_OF_BAD:
        assert drain_seconds(play, number) <= most_drain_seconds(number), DAYS[number]
