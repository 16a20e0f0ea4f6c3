"""What is in a message of the bus is what the host gives a function."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from local.bus.amqp.decoding import DecodeError
from local.bus.amqp.encoding import encode
from local.bus.amqp.message import parse, write
from local.bus.amqp.values import Char, Described, Float, Int, Long, Symbol, Timestamp, ULong, Value
from local.host.message_body import BindingError, DataType, one
from local.host.service_bus.received import ReceivedMessage, read_delivery
from local.host.trigger_metadata import of_many, of_one

TOKEN = UUID(int=7)
AT = datetime(2026, 1, 2, 3, 4, 5, 120000, UTC)
AT_MS = Timestamp(1767323045120)


def section(code: int, content: Value) -> bytes:
    return encode(Described(ULong(code), content))


def delivered(*sections: bytes, ttl: float | None = None) -> ReceivedMessage:
    """Send a message through the bus's own encoding, as it delivers one."""
    annotations: dict[str, Value] = {
        "x-opt-sequence-number": Long(9),
        "x-opt-enqueued-time": AT_MS,
        "x-opt-locked-until": Timestamp(AT_MS + 60_000),
    }
    payload = write(parse(b"".join(sections)), 2, ttl, annotations, TOKEN)
    return read_delivery(4, TOKEN.bytes_le, payload)


def test_a_message_is_read_as_it_was_delivered() -> None:
    fields: list[Value] = ["id", b"user", "to", "subject", "reply", "correlation", Symbol("a/b")]
    properties: dict[Value, Value] = {"n": Int(1), "at": AT_MS, "c": Char("x"), "f": Float(0.5)}
    message = delivered(
        section(0x73, fields), section(0x74, properties), section(0x75, b"body"), ttl=3600
    )
    assert (message.delivery_id, message.lock_token) == (4, TOKEN)
    assert (message.body_type, message.body) == ("data", (b"body",))
    assert (message.delivery_count, message.sequence_number) == (2, 9)
    assert message.enqueued_time_utc == AT
    assert message.expires_at_utc == AT + timedelta(hours=1)
    assert message.locked_until_utc == AT + timedelta(minutes=1)
    assert (message.message_id, message.content_type) == ("id", "a/b")
    assert (message.to, message.subject, message.reply_to) == ("to", "subject", "reply")
    assert message.correlation_id == "correlation"
    assert message.application_properties == {"n": 1, "at": AT, "c": "x", "f": 0.5}


def test_what_a_message_does_not_have_is_missing() -> None:
    message = delivered(section(0x75, b""))
    assert (message.content_type, message.subject, message.expires_at_utc) == (None, None, None)
    assert message.application_properties == {}
    assert one(message, DataType.BINARY) == ("bytes", b"")


@pytest.mark.parametrize(
    "body", [section(0x77, {"a": 1}), section(0x77, 1), section(0x76, [[1, 2]]), section(0x77, "x")]
)
def test_a_body_of_another_kind_is_not_bound(body: bytes) -> None:
    with pytest.raises(BindingError):
        one(delivered(body), DataType.BINARY)


def test_every_value_that_a_sender_can_write_can_be_given_to_a_function() -> None:
    strange: dict[Value, Value] = {
        "list": [1, Symbol("a"), AT_MS, b"\xff"],
        "map": {Symbol("k"): TOKEN, 1: None},
        "described": Described(Symbol("x"), [b"1"]),
        "uuid": TOKEN,
        "bytes": b"\xff",
        "large": ULong(2**63),
        "far": Timestamp(2**62),
    }
    message = delivered(section(0x74, strange), section(0x75, b"x"))
    assert {"ApplicationProperties", "MessageId"} <= of_one(message).keys()
    assert "ApplicationPropertiesArray" in of_many([message, message])


def test_garbage_is_a_decode_error() -> None:
    with pytest.raises(DecodeError):
        read_delivery(1, TOKEN.bytes_le, b"\x00\x53")
