from __future__ import annotations

from datetime import UTC, datetime

import pytest

from ops.rejected import Rejected, Rejection, chosen
from shared.message.message_id import MessageId

NOW = datetime(2026, 11, 23, tzinfo=UTC)


def rejected(number: int, message_id: str, *, dead_lettered: bool = False) -> Rejected:
    own = MessageId.parse(message_id)
    return Rejected(
        number,
        own.id if own else None,
        message_id,
        "partner-refused",
        "",
        0,
        NOW,
        10,
        set_aside=False,
        dead_lettered=dead_lettered,
    )


THERE = [
    rejected(1, "a"),
    rejected(2, "b.3"),
    rejected(3, "a.r1"),
    rejected(4, "no id"),
    rejected(4, "d", dead_lettered=True),
    rejected(5, "", dead_lettered=True),
]


@pytest.mark.parametrize(
    ("names", "indexes", "missing"),
    [
        (["b"], [1], []),
        (["b.3"], [1], []),
        (["a"], [0, 2], []),
        (["#3"], [2], []),
        (["#4", "no id"], [3], []),
        (["dead#4"], [4], []),
        (["d", "dead#5"], [4, 5], []),
        (["#5", "c", "a", "c"], [0, 2], ["#5", "c"]),
        (["dead#3"], [], ["dead#3"]),
        (["", "#"], [], ["", "#"]),
    ],
)
def test_messages_are_found_by_id_and_by_number(
    names: list[str], indexes: list[int], missing: list[str]
) -> None:
    found, led_to_none = chosen(THERE, names)
    assert found == [THERE[index] for index in indexes]
    assert led_to_none == missing


def test_a_message_goes_by_its_id_or_its_number() -> None:
    assert [message.name for message in THERE] == ["a", "b", "a", "#4", "d", "dead#5"]


OWN = {"relay-reason": "partner-refused", "relay-detail": "400", "relay-attempts": "3"}
BUS = {"DeadLetterReason": "TTLExpiredException", "DeadLetterErrorDescription": "expired"}


@pytest.mark.parametrize(
    ("properties", "moved_by_bus", "expected"),
    [
        (OWN, False, Rejection("partner-refused", "400", 3, is_recorded=True)),
        (OWN | BUS, False, Rejection("partner-refused", "400", 3, is_recorded=True)),
        (OWN | {"relay-unrecorded": "true"}, False, Rejection("partner-refused", "400", 3)),
        (BUS, False, Rejection("TTLExpiredException", "expired", 0)),
        ({}, False, Rejection("", "", 0)),
        ({"relay-attempts": "99999"}, False, Rejection("", "", 0)),
        ({"relay-attempts": "\u0663"}, False, Rejection("", "", 0)),
        ({"relay-attempts": "-1"}, False, Rejection("", "", 0)),
    ],
)
def test_why_it_was_rejected_is_read(
    properties: dict[str, str], moved_by_bus: bool, expected: Rejection
) -> None:
    assert Rejection.of(properties, moved_by_bus=moved_by_bus) == expected


def test_a_sender_cannot_forge_why_the_bus_moved_its_message() -> None:
    assert Rejection.of(OWN | BUS, moved_by_bus=True) == Rejection(
        "TTLExpiredException", "expired", 0
    )
    assert Rejection.of(OWN, moved_by_bus=True) == Rejection("", "", 0)
