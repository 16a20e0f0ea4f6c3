from __future__ import annotations

import io
import json
from datetime import UTC, datetime, timedelta

import pytest
from rich.text import Text

from ops.listing import age, listed, named, show
from ops.rejected import Rejected

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)


def rejected(*, is_receipt: bool = False, dead_lettered: bool = False, **changes: str) -> Rejected:
    given = {"message_id": "abc.2", "reason": "retries-exhausted", "detail": "500", **changes}
    then = NOW - timedelta(minutes=3)
    return Rejected(
        9,
        "abc",
        given["message_id"],
        given["reason"],
        given["detail"],
        attempts=3,
        rejected_at=then,
        size=1,
        set_aside=False,
        is_receipt=is_receipt,
        dead_lettered=dead_lettered,
    )


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [
        (-5, "0s"),
        (0.9, "0s"),
        (59, "59s"),
        (60, "1m 0s"),
        (3599, "59m 59s"),
        (3600, "1h 0m"),
        (86_400 * 3 + 3600 * 4 + 59, "3d 4h"),
    ],
)
def test_an_age_has_two_units(seconds: float, expected: str) -> None:
    assert age(timedelta(seconds=seconds)) == expected


def test_json_says_the_same() -> None:
    assert json.loads(json.dumps(listed(rejected(), NOW))) == {
        "id": "abc",
        "message_id": "abc.2",
        "sequence_number": 9,
        "reason": "retries-exhausted",
        "detail": "500",
        "attempts": 3,
        "rejected_at": "2026-11-23T11:57:00+00:00",
        "age_seconds": 180,
    }
    assert listed(rejected(is_receipt=True), NOW)["kind"] == "receipt"
    assert listed(rejected(dead_lettered=True), NOW)["dead_lettered"] is True
    assert named(rejected(dead_lettered=True)) == {
        "id": "abc",
        "sequence_number": 9,
        "dead_lettered": True,
    }


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_table_shows_each_message_and_why() -> None:
    shown = io.StringIO()
    one, other = rejected(), rejected(detail="a\nb", reason="", is_receipt=True)
    show([one, other, rejected(dead_lettered=True, detail="")], NOW, shown)
    lines = [line.split() for line in shown.getvalue().splitlines() if line.strip()]
    assert lines[0] == ["SEQUENCE", "ATTEMPTS", "AGE", "ID", "AND", "REASON"]
    assert lines[2:] == [
        ["#9", "3", "3m", "0s", "abc"],
        ["retries-exhausted:", "500"],
        ["#9", "3", "3m", "0s", "abc"],
        ["receipt:", "-:", "a\\nb"],
        ["dead#9", "3", "3m", "0s", "abc"],
        ["retries-exhausted"],
    ]


def test_a_terminal_of_80_columns_shows_whole_ids(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("TERM", "xterm")
    shown = Terminal()
    uuid = "f81d4fae-7dec-11d0-a765-00a0c91e6bf6"
    long = rejected(message_id=uuid, detail="the partner says no " * 9, reason="r" * 23)
    show([Rejected(**{**vars(long), "id": uuid, "sequence_number": 123456})], NOW, shown)
    lines = shown.getvalue().splitlines()
    assert any(uuid in line for line in lines)
    assert max(Text.from_ansi(line).cell_len for line in lines) <= 80


def test_what_is_not_a_terminal_gets_no_broken_lines() -> None:
    shown = io.StringIO()
    show([rejected(detail="x" * 200, message_id="y" * 128)], NOW, shown)
    assert "x" * 200 in shown.getvalue()
    assert "\x1b" not in shown.getvalue()
