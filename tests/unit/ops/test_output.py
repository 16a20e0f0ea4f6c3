from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest
from azure.core.exceptions import ClientAuthenticationError
from azure.servicebus.exceptions import ServiceBusAuthorizationError, ServiceBusConnectionError

from ops.output import age, cause, listed, plain, table
from ops.rejected import Rejected

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)


def rejected(*, is_receipt: bool = False, **changes: str) -> Rejected:
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


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("grün", "grün"),
        ("\x1b[2J\r\n", "\\x1b[2J\\r\\n"),
        ("\u202e\u2028\x9b", "\\u202e\\u2028\\x9b"),
    ],
)
def test_nothing_gets_at_the_terminal(text: str, expected: str) -> None:
    assert plain(text) == expected


def test_a_table_has_a_line_for_each_message() -> None:
    lines = table([rejected(), rejected(detail="a\nb", reason="")], NOW).splitlines()
    assert lines[0].split() == ["ID", "SEQUENCE", "REASON", "ATTEMPTS", "AGE", "DETAIL"]
    assert lines[1].split() == ["abc", "#9", "retries-exhausted", "3", "3m", "0s", "500"]
    assert lines[2].split() == ["abc", "#9", "-", "3", "3m", "0s", "a\\nb"]
    assert len(lines) == 3


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


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (ServiceBusAuthorizationError(message="no"), "rights of an operator"),
        (ClientAuthenticationError("no"), "az login"),
        (ServiceBusConnectionError(message="away\nmore"), "does not answer"),
    ],
)
def test_a_cause_is_one_line(error: Exception, said: str) -> None:
    assert said in cause(error)
    assert "\n" not in cause(error)
