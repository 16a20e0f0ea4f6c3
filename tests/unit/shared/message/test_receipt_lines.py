"""Receipts that travel in one message: each is read, and none costs another."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.message.formats import NewerFormatError
from shared.message.receipt import Receipt
from shared.message.receipt_lines import MAX_BYTES, MAX_LINES, LinesInOne, read_lines
from shared.message.state import State

AT = datetime(2026, 11, 23, 12, 30, tzinfo=UTC)
GOOD = Receipt("a", State.DELIVERED, AT)
LINE = GOOD.to_json().encode()


def receipts_of(body: bytes) -> list[Receipt | None]:
    return [
        line.receipt if isinstance(line.receipt, Receipt) else None for line in read_lines(body)
    ]


def test_one_receipt_alone_is_read_as_before() -> None:
    assert receipts_of(LINE) == [GOOD]
    assert read_lines(LINE)[0].body == LINE


def test_each_of_several_is_read() -> None:
    many = [Receipt(f"m{n}", State.DELIVERED, AT, detail='a "\n\u2028 \x85 line') for n in range(9)]
    assert receipts_of(b"\n".join(one.to_json().encode() for one in many)) == many


@pytest.mark.parametrize(
    "bad", [b"", b"\xff\xfe", b"{}", b"[" * 400, b"null", LINE[:-1], b"\r", LINE + LINE]
)
def test_a_bad_line_costs_no_other(bad: bytes) -> None:
    lines = read_lines(b"\n".join([LINE, bad, LINE]))
    assert [line.body for line in lines] == [LINE, bad, LINE]
    assert [isinstance(line.receipt, Receipt) for line in lines] == [True, False, True]


def test_a_line_of_a_newer_format_is_apart_from_the_others() -> None:
    newer = b'{"format": 2}'
    lines = read_lines(b"\n".join([LINE, newer, b"bad", newer]))
    assert [line.body for line in lines] == [LINE, newer, b"bad", newer]
    kinds = [type(line.receipt) for line in lines]
    assert kinds == [Receipt, NewerFormatError, ValueError, NewerFormatError]
    assert len(read_lines(newer + b"\n" + newer)) == 2


@pytest.mark.parametrize("body", [b"", b"\n", b"\n" * 50, b"{}\n{}", b"\xff\n\xff"])
def test_what_has_no_receipt_in_it_is_one_bad_line_as_a_whole(body: bytes) -> None:
    (line,) = read_lines(body)
    assert line.body == body
    assert isinstance(line.receipt, ValueError)


def test_more_lines_or_bytes_than_this_relay_writes_are_one_bad_line_as_a_whole() -> None:
    assert len(read_lines(b"\n".join([LINE] * MAX_LINES))) == MAX_LINES
    assert receipts_of(b"\n".join([LINE] * (MAX_LINES + 1))) == [None]
    assert receipts_of(LINE + b"\n" + b"x" * MAX_BYTES) == [None]


def test_a_receipt_alone_may_be_written_over_several_lines() -> None:
    assert receipts_of(LINE.replace(b", ", b",\n")) == [GOOD]


@given(st.lists(st.binary(max_size=20), max_size=5))
def test_whatever_lines_come_with_it_a_receipt_is_read(garbage: list[bytes]) -> None:
    body = b"\n".join([*garbage, LINE])
    assert GOOD in receipts_of(body)
    assert b"\n".join(line.body for line in read_lines(body)) == body


@given(st.lists(st.integers(1, 40_000), min_size=1, max_size=200))
def test_what_fits_is_never_more_than_is_read(sizes: list[int]) -> None:
    together, taken = LinesInOne(), []
    for size in sizes:
        if not together.fits("x" * size):
            break
        taken.append(size)
    assert taken
    assert len(taken) <= MAX_LINES
    assert len(taken) == 1 or sum(taken) + len(taken) - 1 <= MAX_BYTES
