from __future__ import annotations

import asyncio
import socket
from collections.abc import Iterator

import pytest

from local.net.loopback import LOOPBACK, listen, listen_anywhere, reserve


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


def test_a_reserved_port_is_for_those_alone_who_know_that_it_is() -> None:
    with listen_anywhere() as first:
        port = first.getsockname()[1]
        with pytest.raises(OSError, match="in use"):
            reserve(port)
    with reserve(port) as kept:
        assert kept.getsockname() == (LOOPBACK, port)
        for _ in range(3):  # it is refused while nobody listens, and served while one does
            with pytest.raises(ConnectionRefusedError):
                socket.create_connection((LOOPBACK, port))
            with pytest.raises(OSError, match="in use"):
                listen(port)
            with pytest.raises(OSError, match="in use"):
                reserve(port)
            with (
                listen(port, reserved=True) as listening,
                socket.create_connection((LOOPBACK, port)),
            ):
                listening.accept()[0].close()
    listen(port).close()
