"""The types of AMQP 1.0 that Python has no type of its own for (OASIS AMQP 1.0, part 1, 1.6).

Python's own types are used for the others: None null, bool boolean, int long, float double,
str string, bytes binary, UUID uuid, list list, dict map.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TypeAlias
from uuid import UUID


class UByte(int):
    """Unsigned, 8 bits."""


class UShort(int):
    """Unsigned, 16 bits."""


class UInt(int):
    """Unsigned, 32 bits."""


class ULong(int):
    """Unsigned, 64 bits."""


class Byte(int):
    """Signed, 8 bits."""


class Short(int):
    """Signed, 16 bits."""


class Int(int):
    """Signed, 32 bits."""


class Long(int):
    """Signed, 64 bits."""


class Timestamp(int):
    """Milliseconds since 1970-01-01 UTC."""


class Float(float):
    """Binary floating point, 32 bits."""


class Char(str):
    """One Unicode character."""

    __slots__ = ()


class Symbol(str):
    """A name from a closed set, ASCII; equal to the string of the same characters."""

    __slots__ = ()


class Decimal(bytes):
    """A decimal of 4, 8 or 16 octets, carried but not interpreted."""

    __slots__ = ()


@dataclass(frozen=True)
class Described:
    """A value with a descriptor that says what it means."""

    descriptor: Value
    value: Value


@dataclass(frozen=True)
class Array:
    """Values of one type; `code` is the constructor that all of them share on the wire."""

    code: int
    items: tuple[Value, ...]
    descriptor: Value = None


def symbol_array(names: Iterable[str]) -> Array:
    """Return an array of symbols."""
    return Array(_SYMBOL, tuple(Symbol(name) for name in names))


def timestamp_array(times: Iterable[Timestamp]) -> Array:
    """Return an array of timestamps."""
    return Array(_TIMESTAMP, tuple(times))


def long_array(numbers: Iterable[int]) -> Array:
    """Return an array of signed integers of 64 bits."""
    return Array(_LONG, tuple(numbers))


# Constructors of array items (part 1, 1.6).
_SYMBOL, _LONG, _TIMESTAMP = 0xB3, 0x81, 0x83

Value: TypeAlias = (
    "bool | int | float | str | bytes | UUID | Described | Array | list[Value] "
    "| dict[Value, Value] | None"
)
