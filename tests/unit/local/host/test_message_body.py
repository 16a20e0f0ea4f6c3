"""What the host makes of bodies, by data type and cardinality.

Seen on the real host 4.1037 with Service Bus extension 5.16, and read in
`GeneralScriptBindingProvider` and `GrpcMessageConversionExtensions` of azure-functions-host.
"""

from __future__ import annotations

import json
from typing import Any

import pytest
from azure.servicebus import ServiceBusReceivedMessage
from azure.servicebus.amqp import AmqpAnnotatedMessage

from local.host.message_body import BindingError, DataType, many, one

BYTES = bytes(range(256))
GOOD = b'{"a": [1, "\xc3\xbc"]}'
DEEPEST = b"[" * 64 + b"]" * 64


def message(body: bytes = b"", **bodies: Any) -> ServiceBusReceivedMessage:
    made = AmqpAnnotatedMessage(**(bodies or {"data_body": body}))
    received = object.__new__(ServiceBusReceivedMessage)
    received._raw_amqp_message = made
    return received


STRANGE = [
    message(value_body="text"),
    message(value_body={"a": 1}),
    message(value_body=7),
    message(sequence_body=[[1, 2]]),
]


@pytest.mark.parametrize("data_type", [DataType.UNDEFINED, DataType.STRING])
def test_one_body_becomes_text_and_what_is_not_utf8_is_replaced(data_type: DataType) -> None:
    assert one(message(GOOD), data_type) == ("string", GOOD.decode())
    assert one(message(b""), data_type) == ("string", "")
    assert one(message(b"\xff\xfe!"), data_type) == ("string", "\ufffd\ufffd!")


def test_one_body_of_bytes_stays_as_it_is() -> None:
    assert one(message(BYTES), DataType.BINARY) == ("bytes", BYTES)


def test_several_bodies_of_bytes_stay_as_they_are() -> None:
    bodies = [GOOD, b"", BYTES, b"[" * 400]
    assert many([message(body) for body in bodies], DataType.BINARY) == ("collection_bytes", bodies)


def test_of_several_texts_the_empty_ones_are_left_out() -> None:
    bodies = [message(body) for body in (b"a", b"", b"\xff")]
    assert many(bodies, DataType.STRING) == ("collection_string", ["a", "\ufffd"])


def test_several_bodies_without_a_data_type_are_parsed_and_written_anew() -> None:
    kind, text = many(
        [message(body) for body in (GOOD, b'"\\ud800"', b"", b"1.50")], DataType.UNDEFINED
    )
    assert kind == "json"
    assert json.loads(text) == [{"a": [1, "ü"]}, "\ufffd", None, 1.5]


@pytest.mark.parametrize(
    "bad", [b"planted", b"{", b"\xff", b"[" + DEEPEST + b"]", b"[" * 400, b"[" * 100_000]
)
def test_one_that_is_not_json_or_too_deep_fails_the_whole_batch(bad: bytes) -> None:
    assert many([message(DEEPEST)], DataType.UNDEFINED)[0] == "json"
    with pytest.raises(BindingError, match=r"Json\.NET") as raised:
        many([message(GOOD), message(bad), message(GOOD)], DataType.UNDEFINED)
    assert "planted" not in str(raised.value)


@pytest.mark.parametrize("data_type", list(DataType))
@pytest.mark.parametrize("strange", STRANGE)
def test_a_body_that_is_an_amqp_value_or_sequence_fails_alone_and_with_its_batch(
    data_type: DataType, strange: ServiceBusReceivedMessage
) -> None:
    with pytest.raises(BindingError):
        one(strange, data_type)
    with pytest.raises(BindingError):
        many([message(GOOD), strange], data_type)
