from __future__ import annotations

from datetime import UTC, datetime

import pytest

from ops.rejected import Rejected, chosen, replay_id
from shared.message.message_id import MessageId, digest_suffix

BODY = b"a.sealed.message"
NOW = datetime(2026, 11, 23, tzinfo=UTC)


def rejected(number: int, message_id: str) -> Rejected:
    ours = MessageId.parse(message_id)
    identifier = ours.id if ours else None
    return Rejected(
        number, identifier, message_id, "partner-refused", "", 0, NOW, 10, set_aside=False
    )


@pytest.mark.parametrize(
    ("message_id", "expected"),
    [
        ("abc", "abc.r7"),
        ("abc.3", "abc.r7"),
        ("abc.r2", "abc.r7"),
        ("abc.r2.4", "abc.r7"),
        ("not.one of ours", "not.one of ours.r7"),
        ("", ".r7"),
        ("x" * 128, "x" * 108 + ".r7"),
    ],
)
def test_a_replay_has_an_id_of_its_own(message_id: str, expected: str) -> None:
    assert replay_id(message_id, 7, BODY) == expected + digest_suffix(BODY)


def test_the_id_of_a_replay_is_read_as_the_messages_own() -> None:
    assert MessageId.parse(replay_id("abc.r2.4", 7, BODY)) == MessageId("abc", 7)
    longest = replay_id("x" * 80, 10**18 - 1, BODY)
    assert len(longest) <= 128
    assert MessageId.parse(longest) == MessageId("x" * 80, 10**18 - 1)


THERE = [rejected(1, "a"), rejected(2, "b.3"), rejected(3, "a.r1"), rejected(4, "no id")]


@pytest.mark.parametrize(
    ("names", "numbers", "missing"),
    [
        (["b"], {2}, []),
        (["b.3"], {2}, []),
        (["a"], {1, 3}, []),
        (["#3"], {3}, []),
        (["#4", "no id"], {4}, []),
        (["#5", "c", "a", "c"], {1, 3}, ["#5", "c"]),
        (["", "#"], set(), ["", "#"]),
    ],
)
def test_messages_are_found_by_id_and_by_number(
    names: list[str], numbers: set[int], missing: list[str]
) -> None:
    found, led_to_none = chosen(THERE, names)
    assert set(found) == numbers
    assert led_to_none == missing


def test_a_message_goes_by_its_id_or_its_number() -> None:
    assert [message.name for message in THERE] == ["a", "b", "a", "#4"]
