"""AMQP in WebSockets, on the port of AMQP: by the unmodified SDK, and by clients that are wrong."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import aiohttp
import pytest
from aiohttp import hdrs
from azure.servicebus import ServiceBusMessage, TransportType
from multidict import CIMultiDict

from local.bus.amqp.frames import HEADER, SASL
from local.bus.server.websocket import HIGH_WATER, PATH, SUBPROTOCOL

if TYPE_CHECKING:
    from tests.integration.local.bus.conftest import Bus


async def test_messages_of_all_sizes_are_sent_and_received(bus: Bus) -> None:
    bodies = [b"x" * size for size in (1, HIGH_WATER - 1, 3 * HIGH_WATER)]
    async with bus.client(transport_type=TransportType.AmqpOverWebsocket) as client:
        async with client.get_queue_sender("plain") as sender:
            for body in bodies:
                await sender.send_messages(ServiceBusMessage(body))
        async with client.get_queue_receiver("plain") as receiver:
            got: list[bytes] = []
            while len(got) < len(bodies):
                for message in await receiver.receive_messages(3, max_wait_time=5):
                    got.append(b"".join(message.body))
                    await receiver.complete_message(message)
    assert got == bodies
    assert bus.server.state()["plain"].locked == 0


async def test_a_broken_connection_breaks_its_websocket(bus: Bus) -> None:
    url = f"ws://127.0.0.1:{bus.plain_port}{PATH}"
    async with (
        aiohttp.ClientSession() as http,
        http.ws_connect(url, protocols=(SUBPROTOCOL,)) as socket,
    ):
        await socket.send_bytes(HEADER[SASL])
        assert (await socket.receive()).data.startswith(HEADER[SASL])
        bus.server.drop_connections()
        assert (await socket.receive()).type is aiohttp.WSMsgType.CLOSED


@pytest.mark.parametrize(("path", "status"), [("/", 404), ("/$servicebus/other", 404), (PATH, 400)])
async def test_other_requests_are_refused(bus: Bus, path: str, status: int) -> None:
    url = f"http://127.0.0.1:{bus.plain_port}{path}"
    async with aiohttp.ClientSession() as http, http.get(url) as response:
        assert response.status == status


async def test_the_subprotocol_is_asked_for(bus: Bus) -> None:
    url = f"ws://127.0.0.1:{bus.plain_port}{PATH}"
    async with aiohttp.ClientSession() as http:
        for others in ((), ("", SUBPROTOCOL), ("AMQPWSB11",)):
            fields = [(hdrs.SEC_WEBSOCKET_PROTOCOL, one) for one in others]
            with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
                await http.ws_connect(url, headers=CIMultiDict(fields))
            assert refused.value.status == 400
        async with http.ws_connect(url, protocols=(SUBPROTOCOL,)) as socket:
            await socket.send_str("text has no place here")
            assert (await socket.receive()).type is aiohttp.WSMsgType.CLOSE
    assert bus.server._connections == set()


@pytest.mark.parametrize("first", [b"G", b"GET", b"GET / HTTP/1.1\r\nHost: h\r\n\r\n", b"\x00" * 9])
async def test_first_bytes_of_any_kind_leave_nothing_behind(bus: Bus, first: bytes) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", bus.plain_port)
    for byte in first:
        writer.write(bytes((byte,)))
        await writer.drain()
    writer.write_eof()
    await reader.read()
    writer.close()
    await writer.wait_closed()
    assert bus.server._connections == set()
