from __future__ import annotations

import asyncio
import socket
from collections.abc import Iterator

import pytest

from local.loopback import LOOPBACK, listen, listen_anywhere


class Greeter(asyncio.Protocol):
    """Says one word to whoever connects."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        transport.write(b"well")


@pytest.fixture
def clients() -> Iterator[list[socket.socket]]:
    found: list[socket.socket] = []
    yield found
    for one in found:
        one.close()


async def test_connections_above_the_limit_are_closed_and_later_ones_served(
    clients: list[socket.socket],
) -> None:
    listening = listen(0, connections=2)
    address = listening.getsockname()

    def greeted() -> bytes:
        client = socket.create_connection(address, timeout=30)
        clients.append(client)
        try:
            return client.recv(4)
        except ConnectionError:
            return b""

    async with await asyncio.get_running_loop().create_server(Greeter, sock=listening):
        assert [await asyncio.to_thread(greeted) for _ in range(3)] == [b"well", b"well", b""]
        clients[0].close()
        for _ in range(200):
            if said := await asyncio.to_thread(greeted):
                break
            await asyncio.sleep(0.05)
        assert said == b"well"
        for client in clients:
            client.close()


def test_it_listens_on_loopback_alone() -> None:
    with listen(0) as one, listen_anywhere() as other:
        assert {one.getsockname()[0], other.getsockname()[0]} == {LOOPBACK}
