"""A port of this machine that leads to another one, as if that were far away."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack

from local.net.distance import distant
from local.net.loopback import listen_anywhere


async def forward(stack: AsyncExitStack, host: str, port: int, round_trip: float) -> int:
    """Forward connections to `host` and `port` until the stack ends; return the port to use.

    What passes is delayed by half of `round_trip`, in seconds, in each direction.
    """
    loop = asyncio.get_running_loop()
    listening = listen_anywhere()
    bound: int = listening.getsockname()[1]
    ends: set[_End] = set()
    server = await loop.create_server(
        distant(lambda: _ClientEnd(host, port, ends), round_trip), sock=listening
    )
    stack.push_async_callback(_abort, ends)
    stack.callback(server.close)
    return bound


async def _abort(ends: set[_End]) -> None:
    for end in list(ends):
        if end.transport:
            end.transport.abort()
    await asyncio.sleep(0)  # in which the sockets are closed


class _End(asyncio.Protocol):
    """One end of a forwarded connection: what arrives goes to the other."""

    other: _End | None = None
    transport: asyncio.Transport | None = None

    def __init__(self, ends: set[_End]) -> None:
        self._ends = ends

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)  # noqa: S101 - for mypy
        self.transport = transport
        self._ends.add(self)

    def data_received(self, data: bytes) -> None:
        if self.other and self.other.transport:
            self.other.transport.write(data)

    def connection_lost(self, exc: Exception | None) -> None:
        del exc
        self.transport = None
        self._ends.discard(self)
        if self.other and self.other.transport:
            self.other.transport.close()

    def pause_writing(self) -> None:
        # The other end sends faster than this one takes.
        if self.other and self.other.transport:
            self.other.transport.pause_reading()

    def resume_writing(self) -> None:
        if self.other and self.other.transport:
            self.other.transport.resume_reading()


class _ClientEnd(_End):
    """The client's end, which opens the other one."""

    def __init__(self, host: str, port: int, ends: set[_End]) -> None:
        super().__init__(ends)
        self._server = (host, port)
        self._early = bytearray()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self._connecting = asyncio.create_task(self._connect())

    def data_received(self, data: bytes) -> None:
        if self.other is None:
            self._early += data
        else:
            super().data_received(data)

    async def _connect(self) -> None:
        other = _End(self._ends)
        other.other = self
        try:
            await asyncio.get_running_loop().create_connection(lambda: other, *self._server)
        except OSError:
            if self.transport:
                self.transport.abort()
            return
        self.other = other
        assert other.transport is not None  # noqa: S101 - it is connected
        if self.transport is None:
            other.transport.close()
        elif self._early:
            other.transport.write(bytes(self._early))
