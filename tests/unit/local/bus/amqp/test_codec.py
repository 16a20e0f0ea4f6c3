"""Values, frames, performatives, messages: what is written is read, the rest is refused."""

from __future__ import annotations

import struct
from contextlib import suppress
from dataclasses import fields
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from local.bus.amqp import performatives as amqp
from local.bus.amqp.decoding import MAX_DEPTH, DecodeError, decode, skip
from local.bus.amqp.encoding import encode
from local.bus.amqp.frames import Frame, FrameReader, ProtocolHeader, frame
from local.bus.amqp.message import Message, parse, write
from local.bus.amqp.sections import split_batch
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


def integers(kind: type[int], low: int, high: int) -> st.SearchStrategy[Value]:
    return st.integers(low, high).map(kind)


scalars: st.SearchStrategy[Value] = st.one_of(
    st.none(),
    st.booleans(),
    integers(UByte, 0, 2**8 - 1),
    integers(UShort, 0, 2**16 - 1),
    integers(UInt, 0, 2**32 - 1),
    integers(ULong, 0, 2**64 - 1),
    integers(Byte, -(2**7), 2**7 - 1),
    integers(Short, -(2**15), 2**15 - 1),
    integers(Int, -(2**31), 2**31 - 1),
    integers(Long, -(2**63), 2**63 - 1),
    integers(Timestamp, -(2**63), 2**63 - 1),
    st.floats(allow_nan=False),
    st.floats(allow_nan=False, width=32).map(Float),
    st.characters().map(Char),
    st.sampled_from([4, 8, 16]).flatmap(lambda n: st.binary(min_size=n, max_size=n)).map(Decimal),
    st.uuids().map(lambda u: UUID(bytes=u.bytes)),
    st.binary(max_size=300),
    st.text(max_size=300),
    st.text(st.characters(max_codepoint=127), max_size=300).map(Symbol),
)
lists: st.SearchStrategy[Value] = st.lists(st.integers(0, 9).map(UInt)).map(list)
maps: st.SearchStrategy[Value] = st.dictionaries(st.text(), scalars)
arrays: st.SearchStrategy[Value] = st.one_of(
    st.lists(st.text().map(Symbol), max_size=9).map(
        lambda items: Array(
            0xB3, tuple(Symbol(i.encode("ascii", "ignore").decode()) for i in items)
        )
    ),
    st.lists(st.integers(-(2**63), 2**63 - 1).map(Long)).map(lambda i: Array(0x81, tuple(i))),
    st.lists(st.uuids().map(lambda u: UUID(bytes=u.bytes))).map(lambda i: Array(0x98, tuple(i))),
    st.lists(st.binary()).map(lambda i: Array(0xB0, tuple(i))),
    st.lists(lists).map(lambda i: Array(0xD0, tuple(i))),
    st.lists(maps).map(lambda i: Array(0xD1, tuple(i))),
    st.lists(st.booleans()).map(lambda i: Array(0x56, tuple(i), ULong(7))),
)
values: st.SearchStrategy[Value] = st.recursive(
    scalars | arrays,
    lambda inner: st.one_of(
        st.lists(inner, max_size=20),
        st.dictionaries(st.text(max_size=9), inner, max_size=9),
        st.builds(Described, scalars, inner),
    ),
    max_leaves=20,
)


def same(one: Value, other: Value) -> bool:
    """Equal, and of the same types all the way down."""
    return one == other and repr(one) == repr(other) and type(one) is type(other)


@given(values, st.binary(max_size=4))
def test_a_value_is_read_as_it_was_written(value: Value, behind: bytes) -> None:
    encoded = encode(value)
    read, end = decode(encoded + behind)
    assert same(read, value)
    assert end == len(encoded) == skip(encoded + behind, 0)


@given(st.binary(max_size=200))
def test_no_input_escapes_the_decode_error(data: bytes) -> None:
    for read in (decode, amqp.read, parse, split_batch, lambda octets: skip(octets, 0)):
        with suppress(DecodeError):
            read(data)


@given(values, st.data())
def test_an_altered_value_is_read_or_refused(value: Value, data: st.DataObject) -> None:
    encoded = bytearray(encode(value))
    at = data.draw(st.integers(0, len(encoded) - 1))
    encoded[at] = data.draw(st.integers(0, 255))
    try:
        read, _ = decode(bytes(encoded))
    except DecodeError:
        return
    decode(encode(read))


@pytest.mark.parametrize("code", [0x00, 0x01, 0xFF])
def test_an_array_of_unknown_items_is_refused_even_without_items(code: int) -> None:
    with pytest.raises(DecodeError):
        decode(bytes([0xE0, 2, 0, code]))


@given(values, st.data())
def test_a_value_cut_short_is_refused(value: Value, data: st.DataObject) -> None:
    encoded = encode(value)
    cut = data.draw(st.integers(0, len(encoded) - 1))
    with pytest.raises(DecodeError):
        decode(encoded[:cut])
    with pytest.raises(DecodeError):
        skip(encoded[:cut], 0)


@pytest.mark.parametrize(
    "encoded",
    [
        b"\x00" * 100,  # descriptors of descriptors
        b"\xd0\x00\x00\x00\x04\xff\xff\xff\xff",  # a list of four thousand million items
        b"\xf0\x00\x00\x00\x05\xff\xff\xff\xff\x40",  # the same of nulls, which take no room
        b"\xc1\x02\x01\x40",  # a map with half a pair
        b"\xc1\x04\x02\x45\x40\x40",  # a map with a key that cannot be one
        b"\x56\x02",  # a boolean that is neither
        b"\xa1\x01\xff",  # a string that is not UTF-8
        b"\xa3\x01\xff",  # a symbol that is not ASCII
        b"\x73\x00\x11\x00\x00",  # a character beyond Unicode
        b"\xc0\x03\x01\x40\x40",  # a list with room left
        b"\xe0\x02\x01\x00",  # an array without a constructor
        b"\x3f",
    ],
)
def test_known_bad_values(encoded: bytes) -> None:
    with pytest.raises(DecodeError):
        decode(encoded)


def test_what_takes_no_room_does_not_multiply() -> None:
    """A frame's worth of arrays of nulls: no more is made of it than it could say in full."""
    many = b"\xf0" + struct.pack(">II", 5, 4096) + b"\x40"
    frame_full = b"\xd0" + struct.pack(">II", 6000 * len(many) + 4, 6000) + 6000 * many
    with pytest.raises(DecodeError, match="more items than octets"):
        decode(frame_full)
    few, _ = decode(b"\xe0\x02\x10\x40")
    assert few == Array(0x40, (None,) * 16)


def test_depth_is_bounded() -> None:
    value: Value = []
    for _ in range(MAX_DEPTH + 1):
        value = [value]
    with pytest.raises(DecodeError):
        decode(encode(value))


def test_no_amqp_type_for_a_set() -> None:
    with pytest.raises(TypeError):
        encode(set())  # type: ignore[arg-type]


@given(st.lists(st.tuples(st.sampled_from([0, 1]), st.integers(0, 9), st.binary(max_size=99))))
def test_frames_come_whole_however_they_are_cut(sent: list[tuple[int, int, bytes]]) -> None:
    stream = b"AMQP\x00\x01\x00\x00" + b"".join(frame(*one) for one in sent)
    reader, got = FrameReader(), []
    for start in range(0, len(stream), 3):
        reader.feed(stream[start : start + 3])
        while (item := reader.next()) is not None:
            got.append(item)
    assert got == [ProtocolHeader(b"AMQP\x00\x01\x00\x00"), *(Frame(*one) for one in sent)]


@pytest.mark.parametrize(
    "prefix",
    [
        struct.pack(">IBBH", 70000, 2, 0, 0),
        struct.pack(">IBBH", 7, 2, 0, 0),
        struct.pack(">IBBH", 8, 1, 0, 0),
        struct.pack(">IBBH", 8, 3, 0, 0),
        struct.pack(">IBBH", 8, 2, 2, 0),
        b"GET / HT",
    ],
)
def test_impossible_frames_are_refused_before_they_are_waited_for(prefix: bytes) -> None:
    reader = FrameReader()
    reader.feed(prefix)
    with pytest.raises(DecodeError):
        reader.next()


@pytest.mark.parametrize(
    "performative",
    [
        amqp.Open("me", "host", 512, 7, 1000, properties={Symbol("a"): 1}),
        amqp.Begin(None, 1, 2, 3),
        amqp.Attach("l", 0, amqp.RECEIVER, source=Described(ULong(0x28), ["q"])),
        amqp.Flow(None, 1, 2, 3, handle=4, drain=True),
        amqp.Transfer(1, 2, b"tag", 0x80013700, settled=True, more=True),
        amqp.Disposition(amqp.SENDER, 1, None, settled=True, state=Described(ULong(0x24), [])),
        amqp.Detach(1, closed=True),
        amqp.End(),
        amqp.Close(),
        amqp.SaslMechanisms(Array(0xB3, (Symbol("PLAIN"),))),
        amqp.SaslInit(Symbol("PLAIN"), b"x"),
        amqp.SaslOutcome(0),
    ],
)
def test_performatives_with_every_field_on_the_wire(performative: amqp.Performative) -> None:
    encoded = amqp.write(performative)
    described, _ = decode(encoded)
    assert isinstance(described, Described)
    assert isinstance(described.value, list)
    assert len(described.value) == len(fields(performative))
    assert amqp.read(encoded + b"behind") == (performative, b"behind")


@pytest.mark.parametrize(
    "fields_of",
    [
        (0x10, []),
        (0x10, [5]),
        (0x11, [None, None, UInt(1), UInt(1)]),
        (0x12, ["l", UInt(0), None]),
        (0x13, [None, UInt(1), UInt(1), -1]),
        (0x14, [True]),
        (0x17, [None, None]),
        (0x99, []),
        (0x10, {}),
    ],
)
def test_malformed_performatives_are_refused(fields_of: tuple[int, Value]) -> None:
    code, content = fields_of
    with pytest.raises(DecodeError):
        amqp.read(encode(Described(ULong(code), content)))


def section(code: int, content: Value) -> bytes:
    return encode(Described(ULong(code), content))


def is_kept(value: Value) -> bool:
    return not isinstance(value, Decimal)  # which is written anew: test_decimals.py


@given(
    values.filter(is_kept),
    st.dictionaries(st.text(), scalars.filter(is_kept), max_size=3),
    st.binary(max_size=99),
)
def test_a_message_keeps_what_the_bus_does_not_own(
    note: Value, properties: dict[Value, Value], data: bytes
) -> None:
    body = section(0x75, data) + section(0x75, b"more") + section(0x78, {Symbol("f"): 1})
    message = parse(
        section(0x70, [True, UByte(3), UInt(1500)])
        + section(0x71, {Symbol("hop"): 1})
        + section(0x72, {Symbol("x-note"): note, Symbol("x-opt-sequence-number"): 5})
        + section(0x73, ["id-1"])
        + section(0x74, properties)
        + body
    )
    assert (message.durable, message.priority, message.time_to_live) == (True, 3, 1.5)
    assert list(message.annotations) == ["x-note"]
    assert same(message.annotations["x-note"], note)
    assert message.message_id == "id-1"
    assert message.application_properties == section(0x74, properties)
    assert message.body == body


def test_delivery_annotations_are_taken_before_and_after_the_body_and_handed_on() -> None:
    token = UUID(int=1)
    noted = section(0x71, {Symbol("hop"): 1, Symbol("x-opt-lock-token"): token})
    body = section(0x75, b"body") + section(0x78, {Symbol("f"): 1})
    for encoded in (noted + body, body + noted):
        message = parse(encoded)
        assert message.body == body
        assert message.delivery_annotations == {"hop": 1}
        written = write(message, 0, None, {}, UUID(int=2))
        assert section(0x71, {Symbol("hop"): 1, Symbol("x-opt-lock-token"): UUID(int=2)}) in written
        assert parse(written).delivery_annotations == {"hop": 1}


@pytest.mark.parametrize("durable", [True, False, None])
def test_durable_is_what_the_sender_wrote(durable: bool | None) -> None:
    message = parse(section(0x70, [durable]) + section(0x75, b""))
    assert parse(write(message, 0, None, {}, None)).durable is durable


def test_a_message_without_an_id_gets_one() -> None:
    message = parse(section(0x77, "x"))
    other = parse(section(0x73, [None, None, "to"]) + section(0x77, "x"))
    assert len({message.message_id, other.message_id}) == 2
    assert parse(message.properties).message_id == message.message_id


def test_application_properties_are_added_to_those_there() -> None:
    message: Message = parse(section(0x74, {"a": Int(1)}) + section(0x77, None))
    changed = message.with_application_properties({"b": "2"})
    assert changed.application_properties == section(0x74, {"a": Int(1), "b": "2"})
    assert message.with_application_properties({}) is message


@pytest.mark.parametrize(
    "encoded",
    [
        b"\x40",
        section(0x79, []),
        section(0x70, {}),
        section(0x70, [None] * 6),
        section(0x72, []),
        section(0x74, []),
        section(0x73, []) + section(0x70, []),
        section(0x73, []) + section(0x73, []),
        section(0x75, b"") + section(0x73, []),
        section(0x71, {}) + section(0x75, b"") + section(0x71, {}),
        section(0x75, b"") + section(0x71, {}) + section(0x75, b""),
        section(0x75, b"") + section(0x71, []),
        section(0x70, ["yes"]),
        section(0x70, [True, True]),
        section(0x70, [True, UByte(4), "soon"]),
        section(0x73, [*[None] * 10, 5]),
        section(0x75, b"")[:-1],
        b"\x00",
        b"\x00\x53",
    ],
)
def test_malformed_messages_are_refused(encoded: bytes) -> None:
    with pytest.raises(DecodeError):
        parse(encoded)


def test_a_batch_is_split() -> None:
    assert split_batch(section(0x75, b"one") + section(0x75, b"two")) == [b"one", b"two"]
    for bad in (b"", section(0x77, b"one"), section(0x75, "text")):
        with pytest.raises(DecodeError):
            split_batch(bad)
