"""A forwarded connection is the one behind it, as far away as one likes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, suppress

import pytest

from local.net.forwarding import forward
from tests.tcp import serving


@pytest.fixture
async def stack() -> AsyncIterator[AsyncExitStack]:
    async with AsyncExitStack() as opened:
        yield opened


async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(65536):
        writer.write(data)
        await writer.drain()


@pytest.mark.parametrize("round_trip", [0.0, 0.01])
async def test_what_is_sent_comes_back_as_it_was(stack: AsyncExitStack, round_trip: float) -> None:
    there = await stack.enter_async_context(serving(echo))
    port = await forward(stack, "127.0.0.1", there, round_trip)
    payload = bytes(range(256)) * 8000  # more than the buffers between
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(payload)
    async with asyncio.timeout(30):
        assert await reader.readexactly(len(payload)) == payload
        writer.close()
        await writer.wait_closed()


@pytest.mark.parametrize("round_trip", [0.0, 0.01])
async def test_a_server_that_hangs_up_is_seen_through_it(
    stack: AsyncExitStack, round_trip: float
) -> None:
    async def goodbye(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"goodbye")

    there = await stack.enter_async_context(serving(goodbye))
    port = await forward(stack, "127.0.0.1", there, round_trip)
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    async with asyncio.timeout(30):
        assert await reader.read() == b"goodbye"
    writer.close()


async def test_where_there_is_no_server_the_connection_ends(stack: AsyncExitStack) -> None:
    async with serving(echo) as there:
        pass
    port = await forward(stack, "127.0.0.1", there, 0.01)
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    async with asyncio.timeout(30):
        with suppress(ConnectionError):  # as well as an end without a word
            assert await reader.read() == b""
    writer.close()
