"""Values of AMQP 1.0 as bytes, in their shortest form.

Source: OASIS AMQP 1.0, part 1 (Types), 1.2 (encodings) and 1.6 (primitive types).
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from uuid import UUID

from local.bus.amqp.values import (
    Array,
    Byte,
    Char,
    Decimal,
    Described,
    Float,
    Int,
    Long,
    Short,
    Symbol,
    Timestamp,
    UByte,
    UInt,
    ULong,
    UShort,
    Value,
)


def encode(value: Value) -> bytes:
    """Encode one value. Raises TypeError or struct.error for what AMQP has no type for."""
    writer = _WRITERS.get(type(value))
    if writer is None:
        raise TypeError(f"no AMQP type for {type(value).__name__}")
    return writer(value)


def unsigned_writer(kind: type) -> Callable[[int], bytes]:
    """Return what encodes any integer as one of `UByte`, `UShort`, `UInt` or `ULong`."""
    return _WRITERS[kind]


def encode_section(code: int, content: Value) -> bytes:
    """Encode a section of a message: a value with a descriptor below 256."""
    return b"\x00\x53" + bytes((code,)) + encode(content)


def encode_list(encoded: list[bytes]) -> bytes:
    """Encode a list of items that are encoded already."""
    if not encoded:
        return b"\x45"
    return _compound(0xC0, len(encoded), b"".join(encoded))


def _compound(small: int, count: int, content: bytes) -> bytes:
    """Put size and count before the content; the wide form's code is the small one's plus 0x10."""
    if len(content) < 255 and count < 256:
        return bytes((small, len(content) + 1, count)) + content
    return struct.pack(">BII", small + 0x10, len(content) + 4, count) + content


def _variable(small: int) -> Callable[[bytes], bytes]:
    def write(raw: bytes) -> bytes:
        if len(raw) < 256:
            return bytes((small, len(raw))) + raw
        return struct.pack(">BI", small + 0x10, len(raw)) + raw

    return write


_binary, _string, _symbol = _variable(0xA0), _variable(0xA1), _variable(0xA3)


def _integer(code: int, layout: str) -> Callable[[int], bytes]:
    form = struct.Struct(">B" + layout)
    return lambda number: form.pack(code, number)


def _unsigned(zero: bytes, small: int, wide: Callable[[int], bytes]) -> Callable[[int], bytes]:
    def write(number: int) -> bytes:
        if number == 0:
            return zero
        return bytes((small, number)) if 0 < number < 256 else wide(number)

    return write


def _signed(small: int, wide: Callable[[int], bytes]) -> Callable[[int], bytes]:
    def write(number: int) -> bytes:
        return bytes((small, number & 0xFF)) if -128 <= number < 128 else wide(number)

    return write


def _decimal(raw: bytes) -> bytes:
    return {4: b"\x74", 8: b"\x84", 16: b"\x94"}[len(raw)] + bytes(raw)


def _map(mapping: dict[Value, Value]) -> bytes:
    content = b"".join(encode(part) for pair in mapping.items() for part in pair)
    return _compound(0xC1, 2 * len(mapping), content)


def _described(described: Described) -> bytes:
    return b"\x00" + encode(described.descriptor) + encode(described.value)


def _array(array: Array) -> bytes:
    constructor = bytes((array.code,))
    if array.descriptor is not None:
        constructor = b"\x00" + encode(array.descriptor) + constructor
    item = _ITEMS[array.code]
    return _compound(0xE0, len(array.items), constructor + b"".join(map(item, array.items)))


_long = _signed(0x55, _integer(0x81, "q"))

_WRITERS: dict[type, Callable[..., bytes]] = {
    type(None): lambda _: b"\x40",
    bool: lambda flag: b"\x41" if flag else b"\x42",
    int: _long,
    Long: _long,
    Int: _signed(0x54, _integer(0x71, "i")),
    Short: _integer(0x61, "h"),
    Byte: _integer(0x51, "b"),
    UByte: _integer(0x50, "B"),
    UShort: _integer(0x60, "H"),
    UInt: _unsigned(b"\x43", 0x52, _integer(0x70, "I")),
    ULong: _unsigned(b"\x44", 0x53, _integer(0x80, "Q")),
    Timestamp: _integer(0x83, "q"),
    Float: lambda number: struct.pack(">Bf", 0x72, number),
    float: lambda number: struct.pack(">Bd", 0x82, number),
    Char: lambda char: struct.pack(">BI", 0x73, ord(char)),
    Decimal: _decimal,
    UUID: lambda uuid: b"\x98" + uuid.bytes,
    bytes: _binary,
    str: lambda text: _string(text.encode("utf-8")),
    Symbol: lambda text: _symbol(text.encode("ascii")),
    list: lambda items: encode_list([encode(item) for item in items]),
    dict: _map,
    Described: _described,
    Array: _array,
}


def _packed(layout: str) -> Callable[[int], bytes]:
    return struct.Struct(layout).pack


def _sized(layout: str, raw: bytes) -> bytes:
    return struct.pack(layout, len(raw)) + raw


def _wide(small: int) -> Callable[[Value], bytes]:
    """Write an item that has the wide form of a compound type, without its constructor."""

    def write(value: Value) -> bytes:
        encoded = encode(value)
        if encoded == b"\x45":
            return struct.pack(">II", 4, 0)
        if encoded[0] == small:
            return struct.pack(">II", encoded[1] + 3, encoded[2]) + encoded[3:]
        return encoded[1:]

    return write


def _narrow(value: Value) -> bytes:
    encoded = encode(value)
    return b"\x01\x00" if encoded == b"\x45" else encoded[1:]


_ITEMS: dict[int, Callable[..., bytes]] = {
    **dict.fromkeys((0x40, 0x41, 0x42, 0x43, 0x44, 0x45), lambda _: b""),
    **{code: _packed(">B") for code in (0x50, 0x52, 0x53, 0x56)},
    **{code: _packed(">b") for code in (0x51, 0x54, 0x55)},
    0x60: _packed(">H"),
    0x61: _packed(">h"),
    0x70: _packed(">I"),
    0x71: _packed(">i"),
    0x72: struct.Struct(">f").pack,
    0x73: lambda char: struct.pack(">I", ord(char)),
    0x80: _packed(">Q"),
    0x81: _packed(">q"),
    0x82: struct.Struct(">d").pack,
    0x83: _packed(">q"),
    0x98: lambda uuid: uuid.bytes,
    **dict.fromkeys((0x74, 0x84, 0x94), bytes),
    0xA0: lambda raw: _sized(">B", raw),
    0xA1: lambda text: _sized(">B", text.encode("utf-8")),
    0xA3: lambda text: _sized(">B", text.encode("ascii")),
    0xB0: lambda raw: _sized(">I", raw),
    0xB1: lambda text: _sized(">I", text.encode("utf-8")),
    0xB3: lambda text: _sized(">I", text.encode("ascii")),
    **dict.fromkeys((0xC0, 0xC1, 0xE0), _narrow),
    0xD0: _wide(0xC0),
    0xD1: _wide(0xC1),
    0xF0: _wide(0xE0),
}
