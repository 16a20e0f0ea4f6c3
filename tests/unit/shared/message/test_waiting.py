"""What a message on the queue of retries says of itself, and its copy that is due sooner."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from azure.servicebus import ServiceBusReceivedMessage

from shared.message.message_id import digest_suffix
from shared.message.waiting import Wait, WaitingMessage, WaitsFor, read_time
from tests.unit.shared.message.peeked import BODY, NOW, peeked

SOON = NOW + timedelta(seconds=10)


def read(message: ServiceBusReceivedMessage) -> WaitingMessage:
    found = WaitingMessage.from_peeked(message)
    assert found is not None
    return found


def test_a_waiting_message_is_read() -> None:
    wait = Wait(WaitsFor.ATTEMPT, "it answered 503", NOW)
    message = read(peeked(7, properties={"relay-attempts": "3", **wait.to_properties()}))
    assert (message.sequence_number, message.id.id, message.id.hop) == (7, "id-7", 1)
    assert (message.attempts, message.waits_for, message.detail) == (3, "attempt", wait.detail)
    assert (message.due, message.accepted_at) == (NOW + timedelta(hours=1), NOW)
    assert (message.body, message.size) == (BODY, len(BODY))
    assert "sealed" not in repr(message)


@pytest.mark.parametrize(
    "properties",
    [
        {},
        {"relay-attempts": "many", "relay-waits-for": "godot", "relay-accepted-at": "yesterday"},
        {"relay-attempts": 3, "relay-waits-for": 1, "relay-accepted-at": 1e9},
        {"relay-attempts": "-1", "relay-waits-for": "", "relay-accepted-at": "2026-01-01T00:00"},
    ],
)
def test_what_a_stranger_wrote_is_as_if_it_was_not_there(properties: dict[str, object]) -> None:
    message = read(peeked(properties=properties))
    assert (message.attempts, message.waits_for, message.accepted_at) == (0, None, None)


@pytest.mark.parametrize(
    "message",
    [
        peeked(state=0),  # due already
        peeked(due=None),
        peeked(bus_id="not an id"),
        peeked(bus_id=""),
        peeked(body=None),
    ],
)
def test_what_is_due_or_is_not_this_relays_is_left_alone(
    message: ServiceBusReceivedMessage,
) -> None:
    assert WaitingMessage.from_peeked(message) is None


def test_a_copy_is_the_next_hop_with_the_same_content() -> None:
    given = {
        "traceparent": "00-1-2-01",
        "relay-attempts": "3",
        "relay-pending-receipt": "{}",
        "relay-pending-receipt-mac": "mac",
        "relay-of-a-later-version": "kept",
    }
    copy = read(peeked(7, properties=given)).brought_forward(SOON)
    assert copy.message_id == f"id-7.2{digest_suffix(BODY)}"
    assert b"".join(copy.body) == BODY
    assert copy.content_type == "application/jose"
    assert copy.scheduled_enqueue_time_utc == SOON
    assert copy.application_properties == given


def test_two_copies_of_a_message_have_one_id() -> None:
    first = read(peeked(7)).brought_forward(SOON)
    assert read(peeked(7)).brought_forward(NOW).message_id == first.message_id


@pytest.mark.parametrize(
    ("waits_for", "used", "left"),
    [
        ("attempt", "7200", "3610"),  # of an hour, all but the ten seconds are given back
        ("attempt", "100", "0"),
        ("attempt", "nonsense", "nonsense"),
        ("service", "7200", "7200"),  # such a wait uses up nothing
        ("receipt", "7200", "7200"),
    ],
)
def test_what_is_not_waited_of_the_schedule_is_not_used_up(
    waits_for: str, used: str, left: str
) -> None:
    given = {"relay-waits-for": waits_for, "relay-schedule-used": used}
    message = read(peeked(properties=given))
    properties = message.brought_forward(SOON).application_properties or {}
    assert properties["relay-schedule-used"] == left


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("2026-01-02T03:04:05+00:00", datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)),
        (b"2026-01-02T05:04:05+02:00", datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)),
        ("2026-01-02T03:04:05", None),
        ("0001-01-01T00:00:00+14:00", None),
        ("9999-12-31T23:59:59-14:00", None),
        ("2" * 400, None),
        (b"\xff", None),
        (None, None),
    ],
)
def test_a_time_is_read_with_its_zone_or_not_at_all(
    value: object, expected: datetime | None
) -> None:
    assert read_time(value) == expected
