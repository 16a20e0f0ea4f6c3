from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.partner.retries import NextAttempt, Schedule
from shared.settings.settings import ReceiverSettings
from shared.standards.retry_after import retry_after

SCHEDULE = Schedule.parse("5s, 5m,2h")


def delays(schedule: Schedule, asked: list[float | None]) -> list[float]:
    """Return the delays of a message whose attempts fail, as they are asked for, without jitter.

    After the last of `asked` nothing is asked for.
    """
    found: list[float] = []
    used: int | None = None
    for attempts in range(100_000):
        later = schedule.next(attempts, used, asked[attempts] if attempts < len(asked) else None)
        if later is None:
            break
        found.append(later.delay)
        used = later.used
    return found


def test_the_schedule_gives_each_attempt_its_delay_and_then_ends() -> None:
    assert delays(SCHEDULE, []) == [5, 300, 7200]
    assert SCHEDULE.next(0, chance=1.0) == NextAttempt(6, 5)


@pytest.mark.parametrize("attempts", range(6))
def test_a_message_that_does_not_say_what_it_used_up_has_kept_to_the_schedule(
    attempts: int,
) -> None:
    alone = [NextAttempt(5, 5), NextAttempt(300, 305), NextAttempt(7200, 7505)]
    expected = alone[attempts] if attempts < 3 else None
    assert SCHEDULE.next(attempts) == expected
    for garbage in (-1, 7506, 10**9):
        assert SCHEDULE.next(attempts, garbage) == expected


@pytest.mark.parametrize(
    ("asked", "later"),
    [
        (None, NextAttempt(300, 305)),
        (-5.0, NextAttempt(300, 305)),
        (0.0, NextAttempt(300, 305)),
        (0.5, NextAttempt(300, 305)),
        (1.0, NextAttempt(30, 35)),
        (30.0, NextAttempt(30, 35)),
        (60.5, NextAttempt(60.5, 65)),
        (300.0, NextAttempt(300, 305)),
        (4000.0, NextAttempt(4000, 305)),
        (86_400.0, NextAttempt(86_400, 305)),
        (86_401.0, NextAttempt(86_400, 305)),
        (math.inf, NextAttempt(86_400, 305)),
    ],
)
def test_what_the_partner_asks_for_is_waited_within_bounds_and_uses_up_no_more_than_that(
    asked: float | None, later: NextAttempt
) -> None:
    assert SCHEDULE.next(1, 5, asked) == later


def test_what_the_partner_asks_for_does_not_outlive_the_schedule() -> None:
    assert SCHEDULE.next(3, 7505, 60) is None
    assert SCHEDULE.next(3, None, 60) is None


@pytest.mark.parametrize("asked", [1, 2, 10, 30])
def test_a_partner_that_asks_for_seconds_is_tried_for_the_three_days_of_the_schedule(
    asked: int,
) -> None:
    schedule = ReceiverSettings.retry_schedule
    found = delays(schedule, [float(asked)] * 1000)
    assert sum(found) / 86_400 >= 3.1
    assert 50 < len(found) <= 10 * len(schedule.delays)


@given(
    st.lists(st.integers(1, 86_400), min_size=1, max_size=12),
    st.lists(st.none() | st.floats(-1e9, 1e9), max_size=130),
)
def test_whatever_is_asked_for_the_time_is_the_schedules_at_least_and_the_attempts_are_bounded(
    own: list[int], asked: list[float | None]
) -> None:
    schedule = Schedule(tuple(own))
    found = delays(schedule, asked)
    assert len(found) <= 10 * len(own)
    assert sum(found) >= sum(own)
    assert all(1 <= delay <= 86_400 for delay in found)


def test_a_schedule_is_written_as_it_is_read() -> None:
    assert str(SCHEDULE) == "5s,5m,2h"
    assert str(ReceiverSettings.retry_schedule) == "5s,5m,30m,2h,5h,10h,14h,20h,24h"


@pytest.mark.parametrize(
    "text", ["", ",", "5", "s", "0s", "25h", "5s,,5m", "-5s", "5d", "1.5h", "\u0665s"]
)
def test_what_is_not_a_schedule_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="delays from 1s to 24h"):
        Schedule.parse(text)


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("17", 17),
        (" 0 ", 0),
        ("Thu, 01 Jan 1970 00:01:40 GMT", 90),
        ("Thu, 01 Jan 1970 00:00:01 GMT", 0),
        ("", None),
        ("soon", None),
        ("-1", None),
        ("1.5", None),
        ("Thu, 99 Jan 1970 00:01:40 GMT", None),
    ],
)
def test_retry_after_is_a_number_or_a_date(value: str, seconds: float | None) -> None:
    assert retry_after({"Retry-After": value}, lambda: 10.0) == seconds
