"""TCP servers of tests: a closed one leaves no connection open, whatever its handler did."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager

Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


class TcpServer:
    """Serves each connection by a coroutine; `close` ends them and drops the connections."""

    def __init__(self, handler: Handler, port: int = 0) -> None:
        self.port = port
        self._handler = handler
        self._connections: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None

    async def start(self) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port)
        self.port = int(self._server.sockets[0].getsockname()[1])

    async def close(self) -> None:
        """Drop every connection; raise what a handler failed with, unless its peer went away."""
        if self._server:
            self._server.close()
        tasks = list(self._connections)
        for task in tasks:
            task.cancel()
        for outcome in await asyncio.gather(*tasks, return_exceptions=True):
            if isinstance(outcome, Exception):
                raise outcome

    # Not a coroutine: a task that asyncio makes here is dropped by 3.11 with its exception.
    def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(self._one(reader, writer))
        self._connections.add(task)
        task.add_done_callback(self._connections.discard)

    async def _one(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await self._handler(reader, writer)
            writer.close()
        except* (OSError, asyncio.IncompleteReadError):
            pass  # the peer went away
        finally:
            if not writer.transport.is_closing():
                writer.transport.abort()


@asynccontextmanager
async def serving(handler: Handler) -> AsyncIterator[int]:
    """Serve connections on a free port while the block runs; return the port."""
    server = TcpServer(handler)
    await server.start()
    try:
        yield server.port
    finally:
        await server.close()


async def forward(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, port: int, first: bytes = b""
) -> None:
    """Send `first` to another port of this machine, then pass on what comes, both ways."""
    async with AsyncExitStack() as stack:
        other_reader, other_writer = await asyncio.open_connection("127.0.0.1", port)
        stack.callback(other_writer.transport.abort)
        other_writer.write(first)
        async with asyncio.TaskGroup() as group:
            group.create_task(_pass_on(reader, other_writer))
            group.create_task(_pass_on(other_reader, writer))


async def _pass_on(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
    while data := await source.read(65536):
        sink.write(data)
    sink.close()
