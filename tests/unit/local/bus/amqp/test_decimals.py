"""Decimals as clients send them, and as Service Bus hands them on."""

from __future__ import annotations

from contextlib import suppress
from decimal import Decimal as PythonDecimal

import pytest
from azure.servicebus._pyamqp._decode import decode_payload
from azure.servicebus._pyamqp._encode import encode_decimal128
from hypothesis import given
from hypothesis import strategies as st

from local.bus.amqp.decimals import MAX_COEFFICIENT, MAX_SCALE, as_service_bus
from local.bus.amqp.decoding import DecodeError
from local.bus.amqp.encoding import encode, encode_section
from local.bus.amqp.message import parse
from local.bus.amqp.values import Decimal, Value

NET_1_2345 = bytes.fromhex("0c38 0000 00000000 00000000 00003039")


def ieee(coefficient: int, exponent: int, *, negative: bool = False) -> Decimal:
    """Write 128 bits as the standard has them."""
    number = negative << 127 | exponent + 6176 << 113 | coefficient
    return Decimal(number.to_bytes(16, "big"))


def test_what_python_sends_python_can_read() -> None:
    sent = bytearray()
    encode_decimal128(sent, PythonDecimal("1.2345"))
    handed_on = encode_section(0x74, {"price": as_service_bus(Decimal(sent[1:]))})
    received = decode_payload(memoryview(handed_on)).application_properties
    assert received == {b"price": PythonDecimal("1.2345")}


@pytest.mark.parametrize(
    "sent",
    [
        Decimal(NET_1_2345),
        ieee(12345, -4),
        Decimal((394 << 53 | 12345).to_bytes(8, "big")),
        Decimal((97 << 23 | 12345).to_bytes(4, "big")),
    ],
)
def test_every_width_and_form_becomes_that_of_service_bus(sent: Decimal) -> None:
    assert as_service_bus(sent).hex() == NET_1_2345.hex()


@given(st.integers(0, MAX_COEFFICIENT - 1), st.integers(0, MAX_SCALE), st.booleans())
def test_what_service_bus_wrote_stays_as_it_is(
    coefficient: int, scale: int, negative: bool
) -> None:
    once = as_service_bus(ieee(coefficient, -scale, negative=negative))
    assert as_service_bus(once) == once


def test_a_power_of_ten_becomes_part_of_the_number() -> None:
    assert as_service_bus(ieee(5, 3)) == as_service_bus(ieee(5000, 0))


@pytest.mark.parametrize(
    "sent",
    [
        ieee(1, -29),
        ieee(1, 29),
        ieee(MAX_COEFFICIENT, 0),
        Decimal(b"\x78" + bytes(15)),
        Decimal(b"\x7c" + bytes(3)),
    ],
)
def test_what_service_bus_cannot_hold_is_refused(sent: Decimal) -> None:
    with pytest.raises(DecodeError):
        as_service_bus(sent)


@given(st.sampled_from([4, 8, 16]).flatmap(lambda size: st.binary(min_size=size, max_size=size)))
def test_any_decimal_is_read_or_refused(raw: bytes) -> None:
    with suppress(DecodeError):
        assert len(as_service_bus(Decimal(raw))) == 16


def test_the_properties_and_annotations_of_a_message_are_handed_on_readable() -> None:
    price: Value = {"price": ieee(12345, -4)}
    message = parse(encode_section(0x72, price) + encode_section(0x74, price))
    assert message.annotations == {"price": NET_1_2345}
    assert message.application_properties == encode_section(0x74, {"price": Decimal(NET_1_2345)})
    assert encode(Decimal(NET_1_2345))[0] == 0x94
