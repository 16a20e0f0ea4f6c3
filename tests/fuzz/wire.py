"""Values, messages and frames of AMQP, valid by their form but not by their meaning."""

from __future__ import annotations

import struct
from dataclasses import fields
from typing import Any

from hypothesis import strategies as st

from local.bus.amqp import performatives as amqp
from local.bus.amqp.encoding import encode_section
from local.bus.amqp.frames import AMQP, HEADER, SASL, frame
from local.bus.amqp.values import (
    Array,
    Described,
    Int,
    Symbol,
    Timestamp,
    UByte,
    UInt,
    ULong,
    UShort,
    Value,
)

# OASIS AMQP 1.0, part 1, 1.6: constructors by the octets that follow, or by the width of a length.
_FIXED = {
    **dict.fromkeys((0x40, 0x41, 0x42, 0x43, 0x44, 0x45), 0),
    **dict.fromkeys((0x50, 0x51, 0x52, 0x53, 0x54, 0x55, 0x56), 1),
    **dict.fromkeys((0x60, 0x61), 2),
    **dict.fromkeys((0x70, 0x71, 0x72, 0x73, 0x74), 4),
    **dict.fromkeys((0x80, 0x81, 0x82, 0x83, 0x84), 8),
    **dict.fromkeys((0x94, 0x98), 16),
}
_VARIABLE = {0xA0: ">B", 0xA1: ">B", 0xA3: ">B", 0xB0: ">I", 0xB1: ">I", 0xB3: ">I"}
_COMPOUND = {0xC0: ">B", 0xC1: ">B", 0xD0: ">I", 0xD1: ">I"}


def _fixed(code: int) -> st.SearchStrategy[bytes]:
    size = _FIXED[code]
    edges = st.sampled_from((bytes(size), b"\xff" * size, b"\x7f" + b"\xff" * (size - 1)))
    body = st.binary(min_size=size, max_size=size) | edges.filter(lambda one: len(one) == size)
    return body.map(lambda one: bytes((code,)) + one)


def _variable(code: int) -> st.SearchStrategy[bytes]:
    content = st.binary(max_size=40) | st.text(max_size=20).map(str.encode)
    return content.map(lambda one: bytes((code,)) + struct.pack(_VARIABLE[code], len(one)) + one)


@st.composite
def _compound(draw: st.DrawFn, inner: st.SearchStrategy[bytes]) -> bytes:
    code = draw(st.sampled_from(sorted(_COMPOUND)))
    items = draw(st.lists(inner, max_size=6))
    content, width = b"".join(items), _COMPOUND[code]
    size = len(content) + struct.calcsize(width)
    if width == ">B" and size > 255:
        code, width, size = code + 0x10, ">I", len(content) + 4
    wrong = draw(st.sampled_from((0, 0, 0, 0, 1, -1)))
    count = max(0, len(items) + wrong)
    return bytes((code,)) + struct.pack(width, size) + struct.pack(width, count) + content


@st.composite
def _array(draw: st.DrawFn, inner: st.SearchStrategy[bytes]) -> bytes:
    first = draw(inner)
    items = [first[1:]] * draw(st.integers(0, 4))
    described = draw(st.sampled_from((b"", b"", b"\x00\x53\x07", b"\x00\x40", b"\x00\xa3\x01a")))
    content = described + first[:1] + b"".join(items)
    return b"\xf0" + struct.pack(">II", len(content) + 4, len(items)) + content


def _described(inner: st.SearchStrategy[bytes]) -> st.SearchStrategy[bytes]:
    return st.tuples(inner, inner).map(lambda pair: b"\x00" + pair[0] + pair[1])


leaves = st.one_of(*map(_fixed, _FIXED), *map(_variable, _VARIABLE))
encoded_values: st.SearchStrategy[bytes] = st.recursive(
    leaves,
    lambda inner: st.one_of(_compound(inner), _array(inner), _described(inner)),
    max_leaves=12,
)

_EDGES = (0, 1, -1, 2**15, 2**31 - 1, -(2**31), 2**32 - 1, 2**53, 2**63 - 1, -(2**63))
values: st.SearchStrategy[Value] = st.one_of(
    st.none(),
    st.booleans(),
    st.sampled_from(_EDGES),
    st.sampled_from(_EDGES).map(Timestamp),
    st.sampled_from((0, 1, 2**32 - 1)).map(UInt),
    st.sampled_from((0, 2**64 - 1)).map(ULong),
    st.sampled_from((0, -1, 2**31 - 1, -(2**31))).map(Int),
    st.sampled_from((0.0, float("inf"), float("nan"), -1e300)),
    st.sampled_from(("", "a", "é" * 9, "plain", "$cbs", "\x00", "x" * 300)),
    st.sampled_from((Symbol("a"), b"", b"\xff" * 9, [], {}, [None], {"a": 1})),
    st.uuids(),
    st.builds(
        Described, st.sampled_from((ULong(0x24), ULong(0x1D), Symbol("x"), None)), st.just([])
    ),
    st.just(Array(0xB3, (Symbol("a"),))),
)
_names = st.sampled_from(
    (
        *("x-opt-scheduled-enqueue-time", "x-opt-partition-key", "x-opt-lock-token"),
        *("x-opt-sequence-number", "x-opt-transfer-hop-count", "x-opt-via-partition-key", "other"),
    )
).map(Symbol)
_annotations: st.SearchStrategy[dict[Value, Value]] = st.dictionaries(
    _names | st.sampled_from((ULong(1), "text")), values, max_size=3
)


def _listed(size: int, typical: st.SearchStrategy[Value]) -> st.SearchStrategy[list[Value]]:
    return st.lists(st.none() | typical | values, max_size=size)


_body = st.one_of(
    st.binary(max_size=20).map(lambda one: encode_section(0x75, one)),
    values.map(lambda one: encode_section(0x77, one)),
    st.lists(values, max_size=3).map(lambda one: encode_section(0x76, one)),
    encoded_values.map(lambda one: b"\x00\x53\x77" + one),
    st.just(b""),
)


@st.composite
def messages(draw: st.DrawFn) -> bytes:
    """Draw a message: each section is there or not, with values of any type in it."""
    sections = []
    if draw(st.booleans()):
        sections.append(encode_section(0x70, draw(_listed(5, st.sampled_from((0, 5)).map(UInt)))))
    if draw(st.integers(0, 3)) == 0:
        sections.append(encode_section(0x71, draw(_annotations)))
    if draw(st.booleans()):
        sections.append(encode_section(0x72, draw(_annotations)))
    if draw(st.booleans()):
        sections.append(encode_section(0x73, draw(_listed(13, st.sampled_from(("m", "s"))))))
    if draw(st.booleans()):
        properties: st.SearchStrategy[dict[Value, Value]] = st.dictionaries(
            st.sampled_from(("operation", "name", "a")), values, max_size=3
        )
        sections.append(encode_section(0x74, draw(properties)))
    return b"".join(sections) + draw(_body)


OPERATIONS = (
    *("renew-lock", "peek-message", "schedule-message", "cancel-scheduled-message"),
    *("receive-by-sequence-number", "update-disposition", "add-rule", "remove-rule"),
    *("enumerate-rules", "renew-session-lock", "get-session-state", "set-session-state"),
    *("get-message-sessions",),
)
_FIELDS = (
    *("lock-tokens", "from-sequence-number", "message-count", "messages", "sequence-numbers"),
    *("receiver-settle-mode", "session-id", "disposition-status", "properties-to-modify", "skip"),
    *("deadletter-reason", "rule-name", "rule-description", "top", "session-state"),
    *("last-updated-time",),
)


@st.composite
def management_requests(draw: st.DrawFn) -> bytes:
    """Draw a request for an operation, with arguments of any type."""
    name = draw(st.sampled_from(OPERATIONS))
    argument = (
        values | st.lists(values, max_size=2) | st.lists(messages().map(_as_item), max_size=2)
    )
    given: st.SearchStrategy[dict[Value, Value]] = st.dictionaries(
        st.sampled_from(_FIELDS), argument, max_size=5
    )
    arguments = draw(given)
    properties: Value = {"operation": f"com.microsoft:{name}"}
    return encode_section(0x74, properties) + encode_section(0x77, arguments)


def _as_item(message: bytes) -> Value:
    return {"message": message}


_ADDRESSES = (
    *("plain", "$cbs", "plain/$management", "messages/$deadletterqueue", "retries", "sessions"),
    *("sessions/$management", "", "/", "sb://h/plain", "plain/$management/x", "é", "$management"),
)
_termini = st.builds(
    Described,
    st.sampled_from((0x28, 0x29, 0x30)).map(ULong),
    st.lists(st.sampled_from(_ADDRESSES) | values, max_size=9).map(list)
    | st.sampled_from(_ADDRESSES).map(lambda one: [one]),
)
_states = st.builds(
    Described, st.integers(0x23, 0x34).map(ULong), st.lists(values, max_size=4).map(list) | values
)
_small = st.integers(0, 4) | st.sampled_from((255, 256, 2**16 - 1, 2**31, 2**32 - 1))
_OF_TYPE: dict[type, st.SearchStrategy[Any]] = {
    bool: st.booleans(),
    UByte: st.integers(0, 3) | st.just(255),
    UShort: st.integers(0, 4) | st.just(2**16 - 1),
    UInt: _small,
    ULong: _small | st.just(2**64 - 1),
    str: st.sampled_from(("a", "b", "")),
    Symbol: st.sampled_from(("PLAIN", "ANONYMOUS", "")).map(Symbol),
    bytes: st.sampled_from((b"t", b"", b"\0all\0a2V5", b"x" * 40)),
    dict: _annotations,
    Array: st.just(Array(0xB3, (Symbol("a"),))),
    Described: _termini | _states,
}
_KINDS: tuple[type[amqp.Performative], ...] = (
    *(amqp.Begin, amqp.Attach, amqp.Attach, amqp.Flow, amqp.Flow, amqp.Transfer, amqp.Transfer),
    *(amqp.Disposition, amqp.Disposition, amqp.Detach, amqp.End, amqp.Close, amqp.Open),
)


@st.composite
def performatives(draw: st.DrawFn) -> amqp.Performative:
    """Draw a command with anything of its type in each field."""
    kind: type[amqp.Performative] = draw(st.sampled_from(_KINDS))
    given: dict[str, Any] = {}
    for position, (field, wire) in enumerate(zip(fields(kind), kind.WIRE, strict=True)):
        if position < kind.REQUIRED or draw(st.booleans()):
            given[field.name] = draw(_OF_TYPE[wire])
    return kind(**given)


@st.composite
def frames_of_session(draw: st.DrawFn) -> bytes:
    """Draw a frame with a command, and a message or a request behind a transfer."""
    command = draw(performatives())
    payload = b""
    if isinstance(command, amqp.Transfer):
        payload = draw(messages() | management_requests() | st.binary(max_size=20))
    return frame(AMQP, draw(st.sampled_from((0, 0, 0, 1, 255))), amqp.write(command) + payload)


def opening(mechanism: str, response: bytes | None) -> list[bytes]:
    """Return what a client says until it has a session."""
    return [
        HEADER[SASL],
        frame(SASL, 0, amqp.write(amqp.SaslInit(Symbol(mechanism), response))),
        HEADER[AMQP],
        frame(AMQP, 0, amqp.write(amqp.Open("fuzz", max_frame_size=65536))),
        frame(AMQP, 0, amqp.write(amqp.Begin(None, 0, 1000, 1000))),
    ]
