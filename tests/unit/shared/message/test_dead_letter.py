"""A dead letter: where it was, and why the bus took it off."""

from __future__ import annotations

from typing import Any

import pytest

from shared.message.dead_letter import DeadLetter
from shared.message.received import ReceivedMessage, UnidentifiedMessage
from tests.unit.shared.message.triggered import triggered


def letter(source: str | None, message_id: str = "id-1", **properties: Any) -> DeadLetter:
    return DeadLetter.from_trigger(
        triggered(message_id, b"body", source=source, properties=properties)
    )


@pytest.mark.parametrize(
    ("source", "properties", "reason", "detail"),
    [
        (
            "Messages",
            {"DeadLetterReason": "TTLExpiredException", "DeadLetterErrorDescription": "Why."},
            "TTLExpiredException",
            "Why.; dead-lettered from Messages",
        ),
        ("messages", {"DeadLetterReason": "R"}, "R", "dead-lettered from messages"),
        (None, {"DeadLetterErrorDescription": "Why."}, "dead-lettered", "Why."),
        (None, {}, "dead-lettered", ""),
        (
            "q",
            {"DeadLetterReason": 7, "DeadLetterErrorDescription": ""},
            "7",
            "dead-lettered from q",
        ),
    ],
)
def test_why_it_is_here(
    source: str | None, properties: dict[str, Any], reason: str, detail: str
) -> None:
    found = letter(source, **properties)
    assert (found.reason, found.detail) == (reason, detail)


@pytest.mark.parametrize(
    ("source", "lower"),
    [("Receipts", "receipts"), ("receipts", "receipts"), ("", None), (None, None)],
)
def test_names_of_queues_are_the_same_in_capitals(source: str | None, lower: str | None) -> None:
    assert letter(source).source == lower


@pytest.mark.parametrize(
    ("count", "returns"), [("3", 3), (3, 3), ("", 0), ("-1", 0), ("x", 0), (None, 0), ("99999", 0)]
)
def test_returns_that_are_not_a_count_are_none(count: Any, returns: int) -> None:
    assert letter("receipts", **{"relay-returns": count}).returns == returns


def test_what_it_carries_is_read_like_any_message() -> None:
    assert isinstance(letter("messages").message, ReceivedMessage)
    assert isinstance(letter("messages", "not ours").message, UnidentifiedMessage)
    assert letter("messages").message.body == b"body"
