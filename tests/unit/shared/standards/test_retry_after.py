from __future__ import annotations

import pytest

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
