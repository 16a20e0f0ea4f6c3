"""Decimals in the one form that Service Bus hands on, whichever form a client sent them in.

Service Bus reads decimals of IEEE 754-2008 in binary integer form and writes them with fewer bits
of the exponent than that standard has; its clients read what it writes, and some cannot read
what they themselves send.

Source: github.com/Azure/azure-amqp, src/Encoding/DecimalEncoding.cs.
"""

from __future__ import annotations

from local.bus.amqp.decoding import DecodeError
from local.bus.amqp.values import Decimal

MAX_SCALE = 28  # digits behind the point, at most
MAX_COEFFICIENT = 2**96

# Bits of the exponent and what it is above, by the octets of the decimal.
_FORMATS = {4: (8, 101), 8: (10, 398), 16: (14, 6176)}


def as_service_bus(decimal: Decimal) -> Decimal:
    """Return a decimal as Service Bus writes it. Raises DecodeError for what it cannot hold."""
    is_negative, coefficient, exponent = _parts(decimal)
    if len(decimal) == 16 and exponent < 0:
        # The form that Service Bus writes lacks bits of the exponent: read as the standard says,
        # it is wrong by a multiple of 256.
        exponent = -(-exponent & 0xFF)
    if exponent > 0 and coefficient:
        if exponent > MAX_SCALE:
            raise DecodeError("decimal out of the range of Service Bus")
        coefficient *= 10**exponent
    scale = max(0, -exponent)
    if scale > MAX_SCALE or coefficient >= MAX_COEFFICIENT:
        raise DecodeError("decimal out of the range of Service Bus")
    field = _FORMATS[16][1] - scale
    head = bytes((is_negative << 7 | field >> 9, (field & 0x7F) << 1, 0, 0))
    return Decimal(head + coefficient.to_bytes(12, "big"))


def _parts(decimal: Decimal) -> tuple[bool, int, int]:
    """Return whether it is negative, its coefficient, and the power of ten that is times."""
    width, bias = _FORMATS[len(decimal)]
    bits = 8 * len(decimal)
    number = int.from_bytes(decimal, "big")
    is_negative = bool(number >> bits - 1)
    if number >> bits - 3 & 0b11 != 0b11:
        shift = bits - 1 - width
        coefficient = number & (1 << shift) - 1
    elif number >> bits - 5 & 0b1111 >= 0b1110:
        raise DecodeError("decimal that is infinite or not a number")
    else:
        shift = bits - 3 - width
        coefficient = 0b100 << shift | number & (1 << shift) - 1
    return is_negative, coefficient, (number >> shift & (1 << width) - 1) - bias
