"""The codec and the bus, given what is well-formed and senseless, or not even well-formed."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from local.bus.amqp import performatives as amqp
from local.bus.amqp.decoding import DecodeError, decode, skip
from local.bus.amqp.encoding import encode
from local.bus.amqp.frames import AMQP, frame
from local.bus.amqp.message import parse, write
from local.bus.amqp.sections import split_batch
from local.bus.amqp.values import Described, ULong
from local.bus.broker.delivery import encode_entry
from local.bus.broker.namespace import Namespace
from local.bus.server.connection import BusServices, Connection
from tests.fuzz.client import ClientTransport
from tests.fuzz.effort import EFFORT
from tests.fuzz.unforeseen import Unforeseen
from tests.fuzz.wire import encoded_values, frames_of_session, messages, opening
from tests.integration.local.bus.conftest import KEY, NAMESPACE, Grants

PLAIN = b"\0all\0" + KEY.encode()
LATER = 10**6  # seconds, after which locks and lives have ended


@EFFORT
@given(encoded_values)
def test_what_is_read_is_written_and_read_the_same(data: bytes) -> None:
    try:
        value, end = decode(data)
    except DecodeError:
        return
    assert end == skip(data, 0)
    again = encode(value)
    # By their text, since what is not a number is equal to nothing.
    assert repr(decode(again)) == repr((value, len(again)))


@EFFORT
@given(st.binary(max_size=60) | encoded_values, st.data())
def test_no_bytes_escape_the_decode_error(data: bytes, draw: st.DataObject) -> None:
    changed = bytearray(data)
    for _ in range(draw.draw(st.integers(0, 3)) if data else 0):
        changed[draw.draw(st.integers(0, len(changed) - 1))] = draw.draw(st.integers(0, 255))
    for read in (decode, amqp.read, parse, split_batch, lambda octets: skip(octets, 0)):
        with suppress(DecodeError):
            read(bytes(changed))


@EFFORT
@given(messages())
def test_a_message_that_is_taken_can_be_handed_on(data: bytes) -> None:
    try:
        message = parse(data)
    except DecodeError:
        return
    handed_on = write(message, 1, message.time_to_live, {}, None)
    assert parse(handed_on).message_id == message.message_id


class Clock:
    def __init__(self) -> None:
        self.now = 1.8e9

    def __call__(self) -> float:
        return self.now


async def play(stream: list[bytes], cuts: list[int]) -> tuple[Namespace, Clock]:
    """Feed a connection, in parts; return the namespace once the connection has ended."""
    clock = Clock()
    namespace = Namespace(NAMESPACE, clock)
    connections: set[Connection] = set()
    connection = Connection(BusServices(namespace, Grants(), clock), connections, 1)
    transport = ClientTransport(is_tls=False)
    transport.connect(connection)
    data = b"".join(stream)
    places = [0, *sorted(min(cut, len(data)) for cut in cuts), len(data)]
    for start, end in pairwise(places):
        if transport.is_open:
            connection.data_received(data[start:end])
        await asyncio.sleep(0)
    transport.close()
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert not connections
    assert connection.links == connection.memory.held == 0
    assert not any(namespace._consumers.values())
    assert not any(namespace._session_waiters.values())
    return namespace, clock


def check_entries(namespace: Namespace, clock: Clock) -> None:
    """Prove that what got into a queue comes out, now and when all that it waits for is over."""
    for _ in range(2):
        namespace.next_event()
        namespace.counts()
        for queue in namespace._each():
            for held in list(queue.store):
                parse(encode_entry(held))
            while queue.sessions is None and (entry := queue.receive(clock.now)) is not None:
                parse(encode_entry(entry))
        clock.now += LATER
        namespace.advance()


def attached() -> list[bytes]:
    """Return the attaching of what most of a session needs, at the handles 0 to 4."""
    requests = "plain/$management"
    links = (
        ("plain", False),
        ("plain", True),
        (requests, False),
        (requests, True),
        ("$cbs", False),
    )
    found: list[amqp.Performative] = []
    for handle, (address, receives) in enumerate(links):
        source = Described(ULong(0x28), [address if receives else "here"])
        target = Described(ULong(0x29), ["here" if receives else address])
        attach = amqp.Attach(f"l{handle}", handle, receives, 0, 0, source, target)
        attach.initial_delivery_count = None if receives else 0
        found.append(attach)
    found += [amqp.Flow(0, 1000, 0, 1000, handle, 0, 10) for handle in (1, 3)]
    return [frame(AMQP, 0, amqp.write(one)) for one in found]


cut_places = st.lists(st.integers(0, 3000), max_size=4)


@EFFORT
@given(st.lists(frames_of_session(), max_size=12), cut_places)
def test_no_commands_break_the_bus(
    runner: asyncio.Runner, unforeseen: Unforeseen, commands: list[bytes], cuts: list[int]
) -> None:
    stream = [*opening("PLAIN", PLAIN), *attached(), *commands]
    namespace, clock = runner.run(play(stream, cuts))
    check_entries(namespace, clock)
    assert not unforeseen.take()


@EFFORT
@given(
    st.lists(messages(), min_size=1, max_size=4), st.sampled_from(("plain", "messages", "retries"))
)
def test_every_message_that_is_accepted_can_be_received(
    runner: asyncio.Runner, unforeseen: Unforeseen, sent: list[bytes], queue: str
) -> None:
    target = Described(ULong(0x29), [queue])
    attach = amqp.Attach("l", 0, amqp.SENDER, 0, 0, None, target, initial_delivery_count=0)
    transfers = [
        frame(AMQP, 0, amqp.write(amqp.Transfer(0, number, b"t", 0)) + one)
        for number, one in enumerate(sent)
    ]
    stream = [*opening("PLAIN", PLAIN), frame(AMQP, 0, amqp.write(attach)), *transfers]
    namespace, clock = runner.run(play(stream, []))
    check_entries(namespace, clock)
    assert not unforeseen.take()


@EFFORT
@given(st.data())
def test_no_bytes_break_the_bus(
    runner: asyncio.Runner, unforeseen: Unforeseen, data: st.DataObject
) -> None:
    response = data.draw(st.sampled_from((PLAIN, None, b"", b"\xff", b"\0\0", b"\0all\0\xff")))
    mechanism = data.draw(st.sampled_from(("PLAIN", "ANONYMOUS", "MSSBCBS", "GSSAPI", "")))
    commands = data.draw(st.lists(frames_of_session(), max_size=5))
    stream = bytearray(b"".join([*opening(mechanism, response), *attached(), *commands]))
    for _ in range(data.draw(st.integers(1, 5))):
        at = data.draw(st.integers(0, len(stream) - 1))
        stream[at : at + data.draw(st.integers(0, 2))] = data.draw(st.binary(max_size=3))
    cuts = data.draw(cut_places)
    namespace, clock = runner.run(play([bytes(stream)], cuts))
    check_entries(namespace, clock)
    assert not unforeseen.take()
