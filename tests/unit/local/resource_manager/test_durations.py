from __future__ import annotations

from datetime import timedelta

import isodate
import pytest
from hypothesis import given
from hypothesis import strategies as st

from local.resource_manager.durations import parse


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("PT1M", timedelta(minutes=1)),
        ("P14D", timedelta(days=14)),
        ("P1DT2H3M4.5S", timedelta(days=1, hours=2, minutes=3, seconds=4.5)),
        ("PT0S", timedelta(0)),
        ("P10675199DT2H48M5.4775807S", None),
    ],
)
def test_durations(text: str, expected: timedelta | None) -> None:
    assert parse(text) == expected


@pytest.mark.parametrize(
    "text", ["", "P", "PT", "P1DT", "1M", "P1Y", "P1M", "P1W", "-PT1M", "PT1M ", "PT1H1", "P1.5D"]
)
def test_what_is_no_duration(text: str) -> None:
    with pytest.raises(ValueError, match="not a duration"):
        parse(text)


@given(st.text("PTDHMS0123456789.", max_size=12) | st.from_regex(r"P\d+DT\d+H\d+M\d+\.\d+S"))
def test_what_is_read_is_what_another_reader_makes_of_it(text: str) -> None:
    # `isodate` itself reads more than Service Bus takes: signs, weeks, commas, a line break.
    try:
        read = parse(text)
    except ValueError:
        return
    if read is not None:
        judged = isodate.parse_duration(text)
        assert abs(judged - read) <= timedelta(microseconds=1)
