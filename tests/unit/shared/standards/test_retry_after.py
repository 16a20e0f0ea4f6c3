from __future__ import annotations

import time
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.standards.retry_after import retry_after

NOW = 784_111_777.0  # Sun, 06 Nov 1994 08:49:37 GMT


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("0", 0.0),
        ("120", 120.0),
        (" 120 ", 120.0),
        ("9" * 30, 999_999_999.0),
        ("Sun, 06 Nov 1994 08:49:47 GMT", 10.0),
        ("Sun, 06 Nov 1994 08:49:27 GMT", 0.0),
        ("", None),
        ("-1", None),
        ("1.5", None),
        ("1e3", None),
        ("soon", None),
        ("\u0661\u0662", None),
        ("Sun, 06 Nov 199999999 08:49:37 GMT", None),
    ],
)
def test_a_server_asks_for_seconds_or_names_a_date(header: str, seconds: float | None) -> None:
    assert retry_after({"Retry-After": header}, lambda: NOW) == seconds


def test_a_server_need_not_ask_for_anything() -> None:
    assert retry_after({}, lambda: NOW) is None


@pytest.fixture(params=["UTC", "Asia/Tokyo", "America/St_Johns", "Pacific/Kiritimati", "CET-1CEST"])
def zone(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Run in a local zone of another offset."""
    monkeypatch.setenv("TZ", request.param)
    time.tzset()
    yield request.param
    monkeypatch.undo()
    time.tzset()


@pytest.mark.usefixtures("zone")
@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("Sun, 06 Nov 1994 08:49:47 GMT", 10.0),
        ("Sunday, 06-Nov-94 08:49:47 GMT", 10.0),
        ("Sun Nov  6 08:49:47 1994", 10.0),
        ("Sun Nov 06 08:49:47 1994", 10.0),
        ("Sun, 06 Nov 1994 08:49:47 UTC", 10.0),
        ("Sun, 06 Nov 1994 08:49:47 Z", 10.0),
        ("Sun, 06 Nov 1994 08:49:47 +0000", 10.0),
        ("Sun, 06 Nov 1994 08:49:47 -0000", 10.0),
        ("Sun, 06 Nov 1994 08:49:47", 10.0),
        ("Sun, 06 Nov 1994 10:49:47 +0200", 10.0),
        ("Sun, 06 Nov 1994 03:49:47 EST", 10.0),
        ("Sun, 06 Nov 1994 08:49:47 CET", None),
        ("Sun, 06 Nov 1994 08:49:47 JST", None),
        ("Sun, 06 Nov 1994 08:49:47 +9999", None),
        ("Sun, 06 Nov 1994 08:49:47 GMT" + " " * 100 + "x", None),
    ],
)
def test_a_date_is_the_same_in_whatever_zone_the_app_runs(
    header: str, seconds: float | None
) -> None:
    assert retry_after({"Retry-After": header}, lambda: NOW) == seconds


@given(st.text(max_size=80) | st.from_regex(r"[A-Za-z]{3},? [0-9: -]{0,30}[A-Z+0-9-]{0,6}"))
def test_whatever_a_server_says_is_seconds_or_nothing(header: str) -> None:
    seconds = retry_after({"Retry-After": header}, lambda: NOW)
    assert seconds is None or seconds >= 0
