from __future__ import annotations

import json
from collections.abc import Mapping

import pytest

from local.bus.amqp.encoding import encode_section
from local.bus.amqp.message import Message
from local.bus.amqp.values import Value
from local.bus.broker.entry import QueueEntry
from local.page.snapshot import rejected_messages
from shared.message.rejected import ATTEMPTS, BUS_DETAIL, BUS_REASON, DETAIL, KIND, REASON

APPLICATION_PROPERTIES = 0x74
PAYLOAD = b"a planted payload"


def shown(
    properties: Mapping[str, str | int] | bytes,
    message_id: str = "m-1~AAAAAAAAAAAAAAAA",
    source: str | None = None,
) -> Mapping[str, object]:
    if not isinstance(properties, bytes):
        content: dict[Value, Value] = {name: value for name, value in properties.items()}  # noqa: C416 - other types
        properties = encode_section(APPLICATION_PROPERTIES, content)
    message = Message(
        durable=True,
        priority=None,
        time_to_live=None,
        annotations={},
        message_id=message_id,
        properties=b"",
        application_properties=properties,
        body=PAYLOAD,
    )
    (one,) = rejected_messages([QueueEntry(7, message, 0.0, dead_letter_source=source)])
    return one


def test_a_rejected_message_is_shown_with_its_reason_and_without_its_body() -> None:
    one = shown({REASON: "partner-refused", DETAIL: "it answered 400", ATTEMPTS: "3"})
    assert one == {
        "number": "#7",
        "id": "m-1",
        "reason": "partner-refused",
        "detail": "it answered 400",
        "attempts": 3,
        "receipt": False,
        "at": "1970-01-01T00:00:00+00:00",
    }
    assert PAYLOAD.decode() not in json.dumps(one)


def test_of_what_the_bus_moved_only_the_reason_of_the_bus_is_believed() -> None:
    planted = {REASON: "planted", DETAIL: "planted", KIND: "receipt"}
    given = planted | {BUS_REASON: "TTLExpiredException", BUS_DETAIL: "it expired"}
    one = shown(given, source="messages")
    assert (one["reason"], one["detail"]) == ("TTLExpiredException", "it expired")
    assert one["receipt"] is False
    assert shown(planted, source="messages")["reason"] == "no reason given"


def test_a_receipt_is_shown_as_one() -> None:
    assert shown({REASON: "not-a-receipt", KIND: "receipt"})["receipt"] is True


@pytest.mark.parametrize("message_id", ["", "not an id", "<b>", "x" * 200])
def test_an_id_that_is_not_this_relays_is_not_shown(message_id: str) -> None:
    assert shown({REASON: "r"}, message_id)["id"] is None


@pytest.mark.parametrize("properties", [b"", b"\xff", b"\x00\x53\x74\xc1\x05\x02\xa1"])
def test_properties_that_cannot_be_read_are_no_reason_to_fail(properties: bytes) -> None:
    assert shown(properties)["reason"] == "no reason given"


def test_a_text_that_is_long_or_cannot_be_written_is_shortened_and_replaced() -> None:
    one = shown({REASON: "a\x00b\u202ec" + "x" * 1000, ATTEMPTS: 5})
    assert len(str(one["reason"])) == 200
    assert "\x00" not in str(one["reason"])
    assert one["attempts"] == 5
