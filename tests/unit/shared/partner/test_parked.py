"""How long a message waits that is not let through, and how many wait."""

from __future__ import annotations

import math
import random

import pytest

from shared.partner.parked import LONGEST_WAIT, RETURNS_A_SECOND, Parked
from tests.unit.shared.partner.manual_clock import ManualClock


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


def test_one_message_comes_back_for_each_probe_and_the_others_when_it_is_over(
    clock: ManualClock,
) -> None:
    parked = Parked(30.0, clock, lambda: 0.5)
    probe_at = clock.now + 45
    assert parked.park("a", probe_at, 60.0) == 45.5
    assert parked.park("b", probe_at, 60.0) == 60.0
    assert parked.park("c", probe_at + 90, 60.0) == 135.5


@pytest.mark.parametrize(
    ("away", "waits"), [(0.0, 30.0), (20.0, 30.0), (100.0, 100.0), (1e6, LONGEST_WAIT)]
)
def test_a_message_waits_for_about_as_long_as_the_partner_was_away(
    clock: ManualClock, away: float, waits: float
) -> None:
    for chance in (0.0, 1.0):
        delay = Parked(30.0, clock, lambda chance=chance: chance).park(  # type: ignore[misc]
            "mine", math.inf, away
        )
        assert delay == waits * (0.75 + chance / 2)


def test_many_messages_come_back_no_faster_than_a_few_a_second(clock: ManualClock) -> None:
    parked = Parked(1.0, clock, random.Random(7).random)  # noqa: S311 - not a secret
    # All of an hour's backlog is parked at once, in the tenth second of an absence.
    due = sorted(clock.now + parked.park(str(n), math.inf, 10.0) for n in range(5000))
    windows = [sum(1 for at in due if 0 <= at - start < 10) for start in range(1000, 2500, 10)]
    assert max(windows) <= 10 * 2.5 * RETURNS_A_SECOND
    again = [parked.park(str(n), math.inf, 600.0) for n in range(5000)]
    assert min(again) >= 600


def test_ten_thousand_messages_cost_few_bus_operations_a_second(clock: ManualClock) -> None:
    parked = Parked(30.0, clock, random.Random(7).random)  # noqa: S311 - not a secret
    for n in range(10_000):
        parked.park(str(n), math.inf, 86_400.0)
    delays = [parked.park(str(n), math.inf, 86_400.0) for n in range(10_000)]
    # Received, completed and sent once each time.
    assert 3 * len(delays) / (sum(delays) / len(delays)) < 20


def test_those_that_came_back_or_did_not_when_they_were_due_are_not_counted(
    clock: ManualClock,
) -> None:
    parked = Parked(30.0, clock, lambda: 0.5)
    for message_id in "abc":
        parked.park(message_id, math.inf, 0.0)
    parked.handled("a")
    parked.handled("never parked")
    assert parked.count() == 2
    clock.now += 30 + 59
    assert parked.count() == 2
    clock.now += 2
    assert parked.count() == 0, "another instance has got them"


def test_what_failed_waits_as_well_until_it_comes_back_or_is_rejected(clock: ManualClock) -> None:
    parked = Parked(30.0, clock)
    for message_id in "abc":
        parked.failed(message_id)
    parked.handled("a")
    assert parked.count() == 2
    clock.now += 86_400
    assert parked.count() == 2
    clock.now += 86_400
    assert parked.count() == 0


def test_its_memory_is_bounded(clock: ManualClock) -> None:
    parked = Parked(30.0, clock)
    for n in range(60_000):
        parked.park(str(n), math.inf, 1e6)
    assert parked.count() == 50_000
