"""Bytes as values of AMQP 1.0, with every length checked before it is used.

Source: OASIS AMQP 1.0, part 1 (Types), 1.2 (encodings) and 1.6 (primitive types).
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import NoReturn
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

MAX_DEPTH = 32  # nothing in the protocol nests deeper; unbounded, input could exhaust the stack
# Items of an array without width take no octets: ten octets could become thousands of items, and a
# frame of such arrays hundreds of megabytes. No client sends more than a few.
MAX_EMPTY_ITEMS = 16

Reader = Callable[[bytes, int, int], tuple[Value, int]]
LengthReader = Callable[[bytes, int], tuple[int, int]]


class DecodeError(ValueError):
    """Bytes that are not a well-formed AMQP value, frame or message."""


def decode(data: bytes, offset: int = 0) -> tuple[Value, int]:
    """Read one value at `offset`; return it and the offset after it. Raises DecodeError only."""
    try:
        return _value(data, offset, 0)
    except DecodeError:
        raise
    except (struct.error, IndexError, ValueError, TypeError, OverflowError) as error:
        raise DecodeError(f"malformed value: {type(error).__name__}") from None


def skip(data: bytes, offset: int) -> int:
    """Return the offset after the value at `offset`, described or not, without reading it."""
    left = 1
    try:
        while left:
            if data[offset] == 0:  # a descriptor, which can be described as well, and a value
                offset, left = offset + 1, left + 1
            else:
                offset, left = _end(data, offset), left - 1
    except IndexError:
        _refuse("value cut short")
    if offset > len(data):
        _refuse("value cut short")
    return offset


def _end(data: bytes, offset: int) -> int:
    kind = data[offset] >> 4
    if kind in _WIDTHS:
        return offset + 1 + _WIDTHS[kind]
    if kind in (0xA, 0xC, 0xE):
        return offset + 2 + data[offset + 1]
    if kind not in (0xB, 0xD, 0xF):
        _refuse("unknown constructor")
    return offset + 5 + int.from_bytes(_take(data, offset + 1, 4), "big")


_WIDTHS = {4: 0, 5: 1, 6: 2, 7: 4, 8: 8, 9: 16}


def _refuse(why: str) -> NoReturn:
    raise DecodeError(why)


def _take(data: bytes, offset: int, size: int) -> bytes:
    end = offset + size
    if end > len(data):
        _refuse("value cut short")
    return data[offset:end]


def _value(data: bytes, offset: int, depth: int) -> tuple[Value, int]:
    code = data[offset]
    if code == 0:
        return _described(data, offset + 1, depth + 1)
    return _READERS[code](data, offset + 1, depth)


def _described(data: bytes, offset: int, depth: int) -> tuple[Value, int]:
    _check_depth(depth)
    descriptor, offset = _value(data, offset, depth)
    value, offset = _value(data, offset, depth)
    return Described(descriptor, value), offset


def _check_depth(depth: int) -> None:
    if depth > MAX_DEPTH:
        _refuse(f"nested deeper than {MAX_DEPTH}")


def _u8(data: bytes, offset: int) -> tuple[int, int]:
    return data[offset], offset + 1


def _u32(data: bytes, offset: int) -> tuple[int, int]:
    return int.from_bytes(_take(data, offset, 4), "big"), offset + 4


def _constant(value: Value) -> Reader:
    return lambda _data, offset, _depth: (value, offset)


def _empty_list(_data: bytes, offset: int, _depth: int) -> tuple[Value, int]:
    return [], offset


def _boolean(data: bytes, offset: int, _depth: int) -> tuple[Value, int]:
    if data[offset] > 1:
        _refuse("boolean that is neither 0 nor 1")
    return data[offset] == 1, offset + 1


def _integer(layout: str, kind: Callable[[int], Value]) -> Reader:
    form = struct.Struct(layout)

    def read(data: bytes, offset: int, _depth: int) -> tuple[Value, int]:
        return kind(form.unpack_from(data, offset)[0]), offset + form.size

    return read


def _real(layout: str, kind: type[float]) -> Reader:
    form = struct.Struct(layout)

    def read(data: bytes, offset: int, _depth: int) -> tuple[Value, int]:
        return kind(form.unpack_from(data, offset)[0]), offset + form.size

    return read


def _octets(size: int, kind: Callable[[bytes], Value]) -> Reader:
    return lambda data, offset, _depth: (kind(_take(data, offset, size)), offset + size)


def _variable(length: LengthReader, kind: Callable[[bytes], Value]) -> Reader:
    def read(data: bytes, offset: int, _depth: int) -> tuple[Value, int]:
        size, offset = length(data, offset)
        return kind(_take(data, offset, size)), offset + size

    return read


def _compound(data: bytes, offset: int, length: LengthReader) -> tuple[int, int, int]:
    """Read size and count; return the count, the offset of the first item, and the end."""
    size, offset = length(data, offset)
    end = offset + size
    if end > len(data):
        _refuse("compound value cut short")
    count, offset = length(data, offset)
    return count, offset, end


def _list(length: LengthReader) -> Reader:
    return lambda data, offset, depth: _items(data, offset, depth + 1, length)


def _items(data: bytes, offset: int, depth: int, length: LengthReader) -> tuple[list[Value], int]:
    _check_depth(depth)
    count, offset, end = _compound(data, offset, length)
    if count > end - offset:
        _refuse("more items than octets")
    items: list[Value] = []
    for _ in range(count):
        item, offset = _value(data, offset, depth)
        items.append(item)
    if offset != end:
        _refuse("items do not fill the size given")
    return items, end


def _map(length: LengthReader) -> Reader:
    def read(data: bytes, offset: int, depth: int) -> tuple[Value, int]:
        items, end = _items(data, offset, depth + 1, length)
        if len(items) % 2:
            _refuse("map with a key but no value")
        return dict(zip(items[::2], items[1::2], strict=True)), end

    return read


def _array(length: LengthReader) -> Reader:
    def read(data: bytes, offset: int, depth: int) -> tuple[Value, int]:
        _check_depth(depth + 1)
        count, offset, end = _compound(data, offset, length)
        descriptor: Value = None
        if data[offset] == 0:
            descriptor, offset = _value(data, offset + 1, depth + 1)
        code, offset = data[offset], offset + 1
        read_item = _READERS[code]
        if read_item is _unknown:  # asked here, because an array without items reads none
            _refuse("unknown constructor")
        if count > max(end - offset, MAX_EMPTY_ITEMS):
            _refuse("more items than octets")
        items: list[Value] = []
        for _ in range(count):
            item, offset = read_item(data, offset, depth + 1)
            items.append(item)
        if offset != end:
            _refuse("items do not fill the size given")
        return Array(code, tuple(items), descriptor), end

    return read


def _unknown(_data: bytes, _offset: int, _depth: int) -> tuple[Value, int]:
    _refuse("unknown constructor")


def _utf8(raw: bytes) -> str:
    return raw.decode("utf-8")


def _symbol(raw: bytes) -> Symbol:
    return Symbol(raw.decode("ascii"))


def _char(number: int) -> Char:
    return Char(chr(number))


def _uuid(raw: bytes) -> UUID:
    return UUID(bytes=raw)


TRUE, FALSE = True, False

_READERS: list[Reader] = [_unknown] * 256
for _code, _reader in {
    0x40: _constant(None),
    0x41: _constant(TRUE),
    0x42: _constant(FALSE),
    0x43: _constant(UInt(0)),
    0x44: _constant(ULong(0)),
    0x45: _empty_list,
    0x50: _integer(">B", UByte),
    0x51: _integer(">b", Byte),
    0x52: _integer(">B", UInt),
    0x53: _integer(">B", ULong),
    0x54: _integer(">b", Int),
    0x55: _integer(">b", Long),
    0x56: _boolean,
    0x60: _integer(">H", UShort),
    0x61: _integer(">h", Short),
    0x70: _integer(">I", UInt),
    0x71: _integer(">i", Int),
    0x72: _real(">f", Float),
    0x73: _integer(">I", _char),
    0x74: _octets(4, Decimal),
    0x80: _integer(">Q", ULong),
    0x81: _integer(">q", Long),
    0x82: _real(">d", float),
    0x83: _integer(">q", Timestamp),
    0x84: _octets(8, Decimal),
    0x94: _octets(16, Decimal),
    0x98: _octets(16, _uuid),
    0xA0: _variable(_u8, bytes),
    0xA1: _variable(_u8, _utf8),
    0xA3: _variable(_u8, _symbol),
    0xB0: _variable(_u32, bytes),
    0xB1: _variable(_u32, _utf8),
    0xB3: _variable(_u32, _symbol),
    0xC0: _list(_u8),
    0xC1: _map(_u8),
    0xD0: _list(_u32),
    0xD1: _map(_u32),
    0xE0: _array(_u8),
    0xF0: _array(_u32),
}.items():
    _READERS[_code] = _reader
