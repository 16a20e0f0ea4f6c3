"""Receipts: what is written is read as it was, and nothing else is read as one."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.message.formats import Formats, NewerFormatError
from shared.message.receipt import Receipt
from shared.message.state import State

AT = datetime(2026, 11, 23, 12, 30, 0, 123456, tzinfo=UTC)
GOOD: dict[str, Any] = {"id": "a-1", "state": "delivered", "at": AT.isoformat()}
text = st.text(st.characters(exclude_characters="\x00", exclude_categories=["Cs"]), max_size=60)


@given(
    st.builds(
        Receipt,
        message_id=st.from_regex(r"[A-Za-z0-9_-]{1,80}", fullmatch=True),
        state=st.sampled_from([one for one in State if one not in (State.ACCEPTED, State.QUEUED)]),
        at=st.integers(0, 2**31).map(lambda second: AT.replace(year=2001) + timedelta(0, second)),
        attempts=st.integers(0, 2**31),
        replay=st.integers(0, 2**62),
        detail=st.none() | text,
        key_version=st.none() | text,
        content_type=st.none() | text,
        size=st.none() | st.integers(0, 2**40),
        is_proven=st.booleans(),
    )
)
def test_reads_what_it_writes(receipt: Receipt) -> None:
    assert Receipt.from_json(receipt.to_json()) == receipt
    assert Receipt.from_json(receipt.to_json().encode()) == receipt


@pytest.mark.parametrize("change", [{}, {"id": None}, {"state": "of later", "at": 5, "size": []}])
def test_of_a_newer_format_nothing_but_its_number_is_read(change: dict[str, Any]) -> None:
    with pytest.raises(NewerFormatError) as caught:
        Receipt.from_json(json.dumps(GOOD | change | {"format": 3}))
    assert caught.value.number == 3


def test_a_later_format_is_written_and_read_once_it_is_known() -> None:
    receipt = Receipt("a", State.DELIVERED, AT, format=2)
    assert json.loads(receipt.to_json())["format"] == 2
    assert Receipt.from_json(receipt.to_json(), Formats(frozenset({1, 2}))) == receipt
    assert "format" not in json.loads(replace(receipt, format=1).to_json())


def test_a_format_that_is_not_accepted_any_more_is_named() -> None:
    with pytest.raises(ValueError, match="format 1 is not accepted any more"):
        Receipt.from_json(json.dumps(GOOD), Formats(frozenset({2})))


def test_a_long_detail_is_cut_and_times_are_in_utc() -> None:
    east = AT.astimezone(timezone(timedelta(hours=5)))
    receipt = Receipt("a", State.REJECTED, east, detail="x" * 300)
    read = Receipt.from_json(receipt.to_json())
    assert read.detail == "x" * 250
    assert read.at.tzinfo == UTC
    assert read.at == AT


@pytest.mark.parametrize(
    ("change", "member"),
    [
        ({"id": None}, "id"),
        ({"id": "a b"}, "id"),
        ({"id": "a.r1.2"}, "id"),
        ({"id": "a" * 81}, "id"),
        ({"id": "a\n"}, "id"),
        ({"state": "queued"}, "state"),
        ({"state": "accepted"}, "state"),
        ({"state": ["delivered"]}, "state"),
        ({"at": "2026-11-23T12:30:00"}, "at"),
        ({"at": "yesterday"}, "at"),
        ({"at": "0500-01-01T00:00:00+00:00"}, "at"),
        ({"at": "0001-01-01T00:00:00+23:00"}, "at"),
        ({"at": "9999-12-31T23:59:59-23:00"}, "at"),
        ({"at": 5}, "at"),
        ({"attempts": -1}, "attempts"),
        ({"attempts": True}, "attempts"),
        ({"attempts": "1"}, "attempts"),
        ({"replay": 2**63}, "replay"),
        ({"size": 1.5}, "size"),
        *(({"format": value}, "format") for value in (0, 1, -2, 10_000, "2", 2.0, True, None, [2])),
        ({"proven": 0}, "proven"),
        ({"proven": None}, "proven"),
        ({"detail": "x" * 251}, "detail"),
        ({"detail": "a\x00b"}, "detail"),
        ({"detail": "a\ud800b"}, "detail"),
        ({"content_type": 5}, "content_type"),
        ({"at": "0001-01-01T00:00:00+10:00"}, "at"),
        ({"next_attempt_at": "soon"}, "next_attempt_at"),
        ({"next_attempt_at": "2026-01-01T00:00:00"}, "next_attempt_at"),
    ],
)
def test_what_is_wrong_is_named_and_not_repeated(change: dict[str, Any], member: str) -> None:
    with pytest.raises(ValueError, match=f"^{member} must be ") as raised:
        Receipt.from_json(json.dumps(GOOD | change))
    assert "xxx" not in str(raised.value)


@pytest.mark.parametrize(
    "body", [b"", b"\xff\xfe", "[]", "null", '{"id"', "5", b"\x80" * 9, "[" * 100_000]
)
def test_what_is_not_a_json_object_is_not_a_receipt(body: str | bytes) -> None:
    with pytest.raises(ValueError, match="a receipt must be"):
        Receipt.from_json(body)


@given(st.text() | st.binary())
def test_garbage_is_never_read(body: str | bytes) -> None:
    with pytest.raises(ValueError, match="must be"):
        Receipt.from_json(body)


def test_a_receipt_reports_no_later_time_than_now() -> None:
    receipt = Receipt("a", State.REJECTED, AT)
    assert receipt.until(AT + timedelta(seconds=1)) == receipt
    assert receipt.until(AT - timedelta(days=9000)).at == AT - timedelta(days=9000)


def test_when_a_message_is_due_travels_with_its_receipt() -> None:
    receipt = Receipt("a", State.RETRYING, AT, 1, next_attempt_at=AT + timedelta(seconds=5))
    assert Receipt.from_json(receipt.to_json()) == receipt
    # One without it is written as before: a pending receipt has one text, which its MAC is of.
    assert "next_attempt_at" not in Receipt("a", State.DELIVERED, AT, 1).to_json()
