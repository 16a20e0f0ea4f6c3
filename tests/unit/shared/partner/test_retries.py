from __future__ import annotations

import pytest

from shared.partner.retries import Schedule
from shared.settings.settings import ReceiverSettings
from shared.standards.retry_after import retry_after

SCHEDULE = Schedule.parse("5s, 5m,2h")


def test_the_schedule_gives_each_attempt_its_delay_and_then_ends() -> None:
    assert [SCHEDULE.delay(n, chance=0.0) for n in (1, 2, 3, 4)] == [5, 300, 7200, None]
    assert SCHEDULE.delay(1, chance=1.0) == 6


@pytest.mark.parametrize(
    ("asked", "delay"), [(None, 300), (0.0, 300), (1.0, 1), (86_400.0, 86_400), (86_401.0, 300)]
)
def test_what_the_partner_asks_for_counts_within_bounds(asked: float | None, delay: int) -> None:
    assert SCHEDULE.delay(2, asked, 0.0) == delay


def test_what_the_partner_asks_for_adds_no_attempt() -> None:
    assert SCHEDULE.delay(4, 60) is None


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
