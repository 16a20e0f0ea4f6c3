"""AMQP in WebSockets: no handshake and no frame breaks the bus or leaves anything behind."""

from __future__ import annotations

import asyncio
import base64
import logging
import struct
import time
from collections.abc import Iterator
from contextlib import AsyncExitStack

import pytest
from hypothesis import given
from hypothesis import strategies as st

from local.bus.broker.namespace import Namespace
from local.bus.server import websocket
from local.bus.server.connection import BusServices, Connection
from local.bus.server.websocket import AmqpOrWebSocket, WebSockets
from tests.fuzz.client import converse, statuses
from tests.fuzz.effort import EFFORT
from tests.fuzz.requests import changed, request
from tests.fuzz.unforeseen import Unforeseen
from tests.fuzz.wire import frames_of_session, opening
from tests.integration.local.bus.conftest import KEY, NAMESPACE, Grants

HANDSHAKE = request(
    "GET",
    "/$servicebus/websocket",
    headers=[
        (b"Upgrade", b"websocket"),
        (b"Connection", b"Upgrade"),
        (b"Sec-WebSocket-Key", base64.b64encode(b"k" * 16)),
        (b"Sec-WebSocket-Version", b"13"),
        (b"Sec-WebSocket-Protocol", b"AMQPWSB10"),
    ],
)
PLAIN = b"\0all\0" + KEY.encode()


class Bus:
    """What makes the protocol of each connection, and the connections that are open."""

    def __init__(self) -> None:
        services = BusServices(Namespace(NAMESPACE, time.time), Grants(), time.time)
        self.connections: set[Connection] = set()
        self.web_sockets = WebSockets(lambda: Connection(services, self.connections, 5))

    def make_protocol(self) -> asyncio.Protocol:
        return AmqpOrWebSocket(self.web_sockets._amqp(), self.web_sockets)


@pytest.fixture(scope="module")
def bus(runner: asyncio.Runner) -> Iterator[Bus]:
    # What goes wrong here is usually no line in a log, since it is the client's.
    logger = logging.getLogger(websocket._NO_LOG.name)
    logger.setLevel(logging.WARNING)
    stack = AsyncExitStack()

    async def start() -> Bus:
        bus = Bus()
        stack.push_async_callback(bus.web_sockets.close, 1.0)
        return bus

    yield runner.run(start())
    runner.run(stack.aclose())
    logger.setLevel(logging.CRITICAL)


@st.composite
def frames(draw: st.DrawFn) -> bytes:
    """Draw a frame of a WebSocket with AMQP in it, or with anything."""
    inner = draw(
        st.just(b"".join(opening("PLAIN", PLAIN))) | frames_of_session() | st.binary(max_size=20)
    )
    opcode = draw(st.sampled_from((2, 2, 2, 2, 0, 1, 3, 8, 9, 10, 15)))
    flags = draw(st.sampled_from((0x80, 0x80, 0x80, 0x00, 0xC0, 0xF0)))
    mask = draw(st.booleans() | st.just(value=True))
    head = bytes((flags | opcode,))
    length, masked = len(inner), 0x80 if mask else 0
    stated = draw(st.sampled_from((length, length, length, length + 1, 2**40, 2**63)))
    if stated < 126:
        head += bytes((masked | stated,))
    elif stated < 2**16:
        head += bytes((masked | 126,)) + struct.pack(">H", stated)
    else:
        head += bytes((masked | 127,)) + struct.pack(">Q", stated)
    if not mask:
        return head + inner
    key = b"\x01\x02\x03\x04"
    return head + key + bytes(one ^ key[place % 4] for place, one in enumerate(inner))


@EFFORT
@given(st.just(HANDSHAKE) | changed([HANDSHAKE]), st.lists(frames(), max_size=6))
def test_no_handshake_and_no_frame_breaks_the_bus(
    runner: asyncio.Runner,
    bus: Bus,
    unforeseen: Unforeseen,
    handshake: object,
    sent: list[bytes],
) -> None:
    parts = [handshake.encoded(), *sent]  # type: ignore[attr-defined]
    runner.run(converse(bus.make_protocol, parts, is_tls=False, is_whole=False))
    assert not bus.connections
    assert not bus.web_sockets._upgraded
    assert not unforeseen.take()


def test_what_cannot_be_parsed_is_not_repeated(
    runner: asyncio.Runner, bus: Bus, unforeseen: Unforeseen
) -> None:
    sent = [b"GET planted HTTP/1.1\r\n\r\n"]
    answer = runner.run(converse(bus.make_protocol, sent, is_tls=False, is_whole=True))
    assert statuses(answer) == [400]
    assert b"planted" not in answer
    assert not unforeseen.take()
