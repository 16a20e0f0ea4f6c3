"""When the partner is asked, when by probes only, and when not at all."""

from __future__ import annotations

import math

import pytest

from shared.partner.breaker import (
    AWAY_SECONDS,
    LONGEST_ASKED,
    LONGEST_ASKED_BY_ONE,
    Attempt,
    Blocked,
    Breaker,
    BreakerPolicy,
    Failure,
)
from tests.unit.shared.partner.manual_clock import ManualClock

POLICY = BreakerPolicy(failures=3, longest_interval=40.0)


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def breaker(clock: ManualClock) -> Breaker:
    return Breaker(POLICY, clock)


def begin(breaker: Breaker) -> Attempt:
    attempt = breaker.admit()
    assert isinstance(attempt, Attempt)
    return attempt


def fail(
    breaker: Breaker,
    *message_ids: str,
    failure: Failure = Failure.POST,
    asked: float | None = None,
) -> None:
    for message_id in message_ids:
        breaker.failed(begin(breaker), message_id, "it answered 503", failure, asked)


def blocked_until(breaker: Breaker) -> float | None:
    """Return until when nothing is posted; None if a message is."""
    blocked = breaker.blocked
    return blocked.until if blocked else None


def is_away(breaker: Breaker) -> bool:
    return breaker.is_away


def probes_at(
    breaker: Breaker,
    clock: ManualClock,
    count: int,
    failure: Failure = Failure.POST,
    asked: float | None = None,
) -> list[float]:
    """Return the seconds before each of `count` probes, all of which fail."""
    found = []
    for _ in range(count):
        until = blocked_until(breaker)
        assert until
        found.append(round(until - clock.now, 6))
        clock.now = until
        fail(breaker, "probe", failure=failure, asked=asked)
    return found


def test_it_opens_after_so_many_messages_in_a_row_and_not_before(breaker: Breaker) -> None:
    fail(breaker, "a", "b")
    assert blocked_until(breaker) is None
    fail(breaker, "c")
    assert breaker.blocked == Blocked(1005.0, "the partner is away: it answered 503")
    assert breaker.open_seconds == 0
    assert breaker.is_open


def test_one_message_does_not_open_it_however_often_it_fails(breaker: Breaker) -> None:
    fail(breaker, *["mine"] * 100, "another")
    assert blocked_until(breaker) is None


def test_a_success_in_between_begins_the_row_anew(breaker: Breaker) -> None:
    for _ in range(10):
        fail(breaker, "a", "b")
        breaker.accepted(begin(breaker))
    assert blocked_until(breaker) is None


def test_a_refusal_of_a_message_is_not_an_absence(breaker: Breaker) -> None:
    for message_id in "abcdefgh":
        fail(breaker, message_id)
        breaker.answered(begin(breaker))
    assert blocked_until(breaker) is None


def test_one_probe_at_a_time_goes_at_growing_intervals_up_to_the_longest(
    breaker: Breaker, clock: ManualClock
) -> None:
    fail(breaker, "a", "b", "c")
    assert probes_at(breaker, clock, 6) == [5, 10, 20, 40, 40, 40]


def test_while_a_probe_is_under_way_no_other_message_goes(
    breaker: Breaker, clock: ManualClock
) -> None:
    fail(breaker, "a", "b", "c")
    clock.now += 5
    probe = begin(breaker)
    assert probe.is_probe
    other = breaker.admit()
    assert isinstance(other, Blocked)
    assert other.until < clock.now
    breaker.abandoned(probe)
    assert begin(breaker).is_probe


@pytest.mark.parametrize("answer", ["accepted", "answered"])
def test_a_probe_that_is_answered_closes_it(
    breaker: Breaker, clock: ManualClock, answer: str
) -> None:
    fail(breaker, "a", "b", "c")
    probes_at(breaker, clock, 3)
    clock.now += 40
    assert breaker.open_seconds == 75
    assert getattr(breaker, answer)(begin(breaker))
    assert blocked_until(breaker) is None
    assert not is_away(breaker)
    assert breaker.open_seconds == 0
    fail(breaker, "a", "b", "c")
    assert breaker.blocked == Blocked(clock.now + 5, "the partner is away: it answered 503")


def test_what_was_under_way_when_it_opened_closes_it_but_does_not_delay_the_probe(
    breaker: Breaker, clock: ManualClock
) -> None:
    slow, slower = begin(breaker), begin(breaker)
    fail(breaker, "a", "b", "c")
    clock.now += 2
    breaker.failed(slow, "d", "no answer")
    assert blocked_until(breaker) == 1005
    assert breaker.accepted(slower)
    assert blocked_until(breaker) is None


def test_instances_that_failed_together_do_not_probe_together(clock: ManualClock) -> None:
    untils: set[float | None] = set()
    for chance in (0.0, 0.5, 1.0):
        breaker = Breaker(POLICY, clock, lambda chance=chance: chance)  # type: ignore[misc]
        fail(breaker, "a", "b", "c")
        untils.add(blocked_until(breaker))
    assert untils == {1005.0, 1005.5, 1006.0}


@pytest.mark.parametrize(("asked", "waits"), [(2.0, 2.0), (59.0, 59.0), (7200.0, 60.0)])
def test_one_answer_that_asks_to_wait_stops_the_others_for_a_minute_at_most(
    breaker: Breaker, clock: ManualClock, asked: float, waits: float
) -> None:
    fail(breaker, "a", failure=Failure.THROTTLED, asked=asked)
    assert blocked_until(breaker) == clock.now + waits
    assert waits <= LONGEST_ASKED_BY_ONE
    assert not is_away(breaker), "it may be of that message"


def test_retry_after_on_other_answers_is_the_messages_own(breaker: Breaker) -> None:
    fail(breaker, "a", asked=60.0)
    assert blocked_until(breaker) is None


@pytest.mark.parametrize("failure", list(Failure))
@pytest.mark.parametrize(("asked", "waits"), [(300.0, 300.0), (1e9, 3600.0), (1.0, 10.0)])
def test_a_probe_that_is_asked_to_wait_waits_for_an_hour_at_most(
    breaker: Breaker, clock: ManualClock, failure: Failure, asked: float, waits: float
) -> None:
    breaker.accepted(begin(breaker))  # so that 410 alone opens nothing
    fail(breaker, "a", "b", "c")
    clock.now += 5
    fail(breaker, "d", failure=failure, asked=asked)
    assert blocked_until(breaker) == clock.now + waits
    assert waits <= LONGEST_ASKED


def test_a_partner_that_is_gone_is_asked_by_probes_only_from_the_first_answer_on(
    breaker: Breaker, clock: ManualClock
) -> None:
    fail(breaker, "a", failure=Failure.GONE)
    assert is_away(breaker)
    assert probes_at(breaker, clock, 4, Failure.GONE) == [5, 10, 20, 40]


def test_a_410_while_others_are_accepted_is_of_its_message(
    breaker: Breaker, clock: ManualClock
) -> None:
    breaker.accepted(begin(breaker))
    clock.now += AWAY_SECONDS
    fail(breaker, "a", failure=Failure.GONE)
    assert blocked_until(breaker) is None
    clock.now += 1
    fail(breaker, "a", failure=Failure.GONE)
    assert blocked_until(breaker)


def test_without_a_usable_secret_it_opens_at_once_and_reads_it_every_half_minute(
    clock: ManualClock,
) -> None:
    breaker = Breaker(BreakerPolicy(10, 300.0), clock)
    fail(breaker, "a", failure=Failure.NO_POST)
    assert is_away(breaker)
    assert probes_at(breaker, clock, 5, Failure.NO_POST) == [5, 10, 20, 30, 30]
    clock.now += 30
    fail(breaker, "a")
    assert probes_at(breaker, clock, 4) == [60, 120, 240, 300], "it is posted to again"


def test_failures_alone_for_a_minute_are_an_absence_also_of_few_messages(
    breaker: Breaker, clock: ManualClock
) -> None:
    fail(breaker, "a")
    clock.now += AWAY_SECONDS - 1
    fail(breaker, "a")
    assert not is_away(breaker)
    clock.now += 1
    assert is_away(breaker)
    assert not breaker.is_open
    breaker.accepted(begin(breaker))
    assert not is_away(breaker)


def test_a_pause_blocks_everything_until_it_is_taken_back(
    breaker: Breaker, clock: ManualClock
) -> None:
    assert breaker.pause("a new release")
    assert not breaker.pause("still")
    clock.now += 1e6
    assert breaker.admit() == Blocked(math.inf, "the partner is paused by an operator")
    assert breaker.resume()
    assert not breaker.resume()
    assert not begin(breaker).is_probe


def test_after_a_pause_a_partner_that_was_away_is_probed_at_once(
    breaker: Breaker, clock: ManualClock
) -> None:
    fail(breaker, "a", "b", "c")
    breaker.pause("why")
    breaker.resume()
    assert begin(breaker).is_probe
    clock.now += 1e6
    assert isinstance(breaker.admit(), Blocked), "one probe, and no more"


def test_what_is_accepted_during_a_pause_does_not_end_it(breaker: Breaker) -> None:
    slow = begin(breaker)
    breaker.pause("why")
    breaker.accepted(slow)
    assert isinstance(breaker.admit(), Blocked)


def test_a_reason_that_an_operator_gives_is_not_shown_to_callers(breaker: Breaker) -> None:
    breaker.pause("planted")
    assert breaker.blocked
    assert "planted" not in breaker.blocked.why
