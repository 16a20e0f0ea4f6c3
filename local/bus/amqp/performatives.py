"""The commands of connections, sessions and links, as typed objects and as bytes.

Source: OASIS AMQP 1.0, part 2 (Transport), 2.7, and part 5 (Security), 5.3.3.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields
from operator import attrgetter
from typing import Any, ClassVar, TypeVar

from local.bus.amqp.decoding import DecodeError, decode
from local.bus.amqp.encoding import encode, encode_list, unsigned_writer
from local.bus.amqp.values import (
    Array,
    Described,
    Symbol,
    UByte,
    UInt,
    ULong,
    UShort,
    Value,
    symbol_array,
)

UNLIMITED = 2**32 - 1

SETTLED, MIXED = 1, 2  # sender settle modes; 0 is unsettled
SENDER, RECEIVER = False, True  # roles


@dataclass(slots=True)
class Performative:
    """A described list; `WIRE` names the type of each field, `REQUIRED` how many must be there."""

    CODE: ClassVar[int]
    WIRE: ClassVar[tuple[type, ...]]
    REQUIRED: ClassVar[int] = 0


@dataclass(slots=True)
class Open(Performative):
    """Opens a connection."""

    CODE: ClassVar[int] = 0x10
    WIRE: ClassVar[tuple[type, ...]] = (
        str, str, UInt, UShort, UInt, Array, Array, Array, Array, dict,
    )  # fmt: skip
    REQUIRED: ClassVar[int] = 1

    container_id: str
    hostname: str | None = None
    max_frame_size: int = UNLIMITED
    channel_max: int = 65535
    idle_time_out: int | None = None
    outgoing_locales: Array | None = None
    incoming_locales: Array | None = None
    offered_capabilities: Array | None = None
    desired_capabilities: Array | None = None
    properties: dict[Value, Value] | None = None


@dataclass(slots=True)
class Begin(Performative):
    """Begins a session."""

    CODE: ClassVar[int] = 0x11
    WIRE: ClassVar[tuple[type, ...]] = (UShort, UInt, UInt, UInt, UInt, Array, Array, dict)
    REQUIRED: ClassVar[int] = 4

    remote_channel: int | None
    next_outgoing_id: int
    incoming_window: int
    outgoing_window: int
    handle_max: int = UNLIMITED
    offered_capabilities: Array | None = None
    desired_capabilities: Array | None = None
    properties: dict[Value, Value] | None = None


@dataclass(slots=True)
class Attach(Performative):
    """Attaches a link."""

    CODE: ClassVar[int] = 0x12
    WIRE: ClassVar[tuple[type, ...]] = (
        str, UInt, bool, UByte, UByte, Described, Described, dict, bool, UInt, ULong, Array, Array,
        dict,
    )  # fmt: skip
    REQUIRED: ClassVar[int] = 3

    name: str
    handle: int
    role: bool
    snd_settle_mode: int = MIXED
    rcv_settle_mode: int = 0
    source: Described | None = None
    target: Described | None = None
    unsettled: dict[Value, Value] | None = None
    incomplete_unsettled: bool = False
    initial_delivery_count: int | None = None
    max_message_size: int | None = None
    offered_capabilities: Array | None = None
    desired_capabilities: Array | None = None
    properties: dict[Value, Value] | None = None


@dataclass(slots=True)
class Flow(Performative):
    """Updates the windows of a session and, with a handle, the credit of a link."""

    CODE: ClassVar[int] = 0x13
    WIRE: ClassVar[tuple[type, ...]] = (
        UInt, UInt, UInt, UInt, UInt, UInt, UInt, UInt, bool, bool, dict,
    )  # fmt: skip
    REQUIRED: ClassVar[int] = 4

    next_incoming_id: int | None
    incoming_window: int
    next_outgoing_id: int
    outgoing_window: int
    handle: int | None = None
    delivery_count: int | None = None
    link_credit: int | None = None
    available: int | None = None
    drain: bool = False
    echo: bool = False
    properties: dict[Value, Value] | None = None


@dataclass(slots=True)
class Transfer(Performative):
    """Carries a message or a part of one; the payload follows it in the frame."""

    CODE: ClassVar[int] = 0x14
    WIRE: ClassVar[tuple[type, ...]] = (
        UInt, UInt, bytes, UInt, bool, bool, UByte, Described, bool, bool, bool,
    )  # fmt: skip
    REQUIRED: ClassVar[int] = 1

    handle: int
    delivery_id: int | None = None
    delivery_tag: bytes | None = None
    message_format: int | None = None
    settled: bool | None = None
    more: bool = False
    rcv_settle_mode: int | None = None
    state: Described | None = None
    resume: bool = False
    aborted: bool = False
    batchable: bool = False


@dataclass(slots=True)
class Disposition(Performative):
    """Carries the outcome of deliveries `first` to `last`."""

    CODE: ClassVar[int] = 0x15
    WIRE: ClassVar[tuple[type, ...]] = (bool, UInt, UInt, bool, Described, bool)
    REQUIRED: ClassVar[int] = 2

    role: bool
    first: int
    last: int | None = None
    settled: bool = False
    state: Described | None = None
    batchable: bool = False


@dataclass(slots=True)
class Detach(Performative):
    """Detaches a link."""

    CODE: ClassVar[int] = 0x16
    WIRE: ClassVar[tuple[type, ...]] = (UInt, bool, Described)
    REQUIRED: ClassVar[int] = 1

    handle: int
    closed: bool = False
    error: Described | None = None


@dataclass(slots=True)
class End(Performative):
    """Ends a session."""

    CODE: ClassVar[int] = 0x17
    WIRE: ClassVar[tuple[type, ...]] = (Described,)

    error: Described | None = None


@dataclass(slots=True)
class Close(Performative):
    """Closes a connection."""

    CODE: ClassVar[int] = 0x18
    WIRE: ClassVar[tuple[type, ...]] = (Described,)

    error: Described | None = None


@dataclass(slots=True)
class SaslMechanisms(Performative):
    """Offers mechanisms to authenticate by."""

    CODE: ClassVar[int] = 0x40
    WIRE: ClassVar[tuple[type, ...]] = (Array,)
    REQUIRED: ClassVar[int] = 1

    mechanisms: Array


@dataclass(slots=True)
class SaslInit(Performative):
    """Chooses a mechanism."""

    CODE: ClassVar[int] = 0x41
    WIRE: ClassVar[tuple[type, ...]] = (Symbol, bytes, str)
    REQUIRED: ClassVar[int] = 1

    mechanism: str
    initial_response: bytes | None = None
    hostname: str | None = None


@dataclass(slots=True)
class SaslOutcome(Performative):
    """Says whether the client is authenticated: 0 if so, 1 if not."""

    CODE: ClassVar[int] = 0x44
    WIRE: ClassVar[tuple[type, ...]] = (UByte, bytes)
    REQUIRED: ClassVar[int] = 1

    code: int
    additional_data: bytes | None = None


_BY_CODE: dict[int, type[Performative]] = {
    kind.CODE: kind
    for kind in (
        Open, Begin, Attach, Flow, Transfer, Disposition, Detach, End, Close,
        SaslMechanisms, SaslInit, SaslOutcome,
    )
}  # fmt: skip
_NAMES = {kind: tuple(field.name for field in fields(kind)) for kind in _BY_CODE.values()}
_LIMITS: dict[type, int] = {UByte: 2**8, UShort: 2**16, UInt: 2**32, ULong: 2**64}

_NULL = b"\x40"


def _layout(
    kind: type[Performative],
) -> tuple[bytes, attrgetter[Any], list[Callable[[Any], bytes]]]:
    writers = [unsigned_writer(wire) if wire in _LIMITS else encode for wire in kind.WIRE]
    return b"\x00\x53" + bytes((kind.CODE,)), attrgetter(*_NAMES[kind]), writers


# Looked up once for each type: every frame is written by them.
_LAYOUTS = {kind: _layout(kind) for kind in _NAMES}

Some = TypeVar("Some", bound=Performative)


def write(performative: Performative) -> bytes:
    """Encode; null fields at the end stay, because clients index into the list."""
    kind = type(performative)
    head, values_of, writers = _LAYOUTS[kind]
    encoded = [
        _NULL if value is None else write_value(value)
        for value, write_value in zip(_tuple(values_of(performative)), writers, strict=True)
    ]
    return head + encode_list(encoded)


def _tuple(values: object) -> tuple[Any, ...]:
    # `attrgetter` of one name gives its value alone.
    return values if isinstance(values, tuple) else (values,)


def read(body: bytes) -> tuple[Performative, bytes]:
    """Decode a frame's body to its performative and the payload behind it; or DecodeError."""
    described, end = decode(body)
    if not isinstance(described, Described) or not isinstance(described.value, list):
        raise DecodeError("frame without a performative")
    descriptor = described.descriptor
    kind = _BY_CODE.get(descriptor) if isinstance(descriptor, int) else None
    if kind is None:
        raise DecodeError("unknown performative")
    return _build(kind, described.value), body[end:]


def _build(kind: type[Some], values: list[Value]) -> Some:
    names = _NAMES[kind]
    if len(values) > len(names):
        raise DecodeError(f"{kind.__name__} with too many fields")
    given = {
        name: _checked(kind, name, value, wire)
        for name, value, wire in zip(names, values, kind.WIRE, strict=False)
        if value is not None
    }
    for name in names[: kind.REQUIRED]:
        if name not in given and (kind, name) not in _NULLABLE:
            raise DecodeError(f"{kind.__name__} without {name}")
    for nullable, name in _NULLABLE:
        if nullable is kind:
            given.setdefault(name, None)
    return kind(**given)


# Fields without a default here, since position demands them, that may be null all the same.
_NULLABLE = ((Begin, "remote_channel"), (Flow, "next_incoming_id"))


def _checked(kind: type[Performative], name: str, value: Value, wire: type) -> Value:
    if wire is Array and isinstance(value, Symbol):
        return symbol_array((value,))  # "multiple" fields may hold one value bare
    limit = _LIMITS.get(wire)
    if limit is None:
        good = isinstance(value, wire) and not (wire is str and isinstance(value, Symbol))
    else:
        good = isinstance(value, int) and not isinstance(value, bool) and 0 <= value < limit
    if not good:
        raise DecodeError(f"{kind.__name__} with a malformed {name}")
    return value
