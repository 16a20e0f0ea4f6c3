"""AMQP in WebSockets, on the port of AMQP: a client shows by its first bytes which it speaks.

Source: OASIS AMQP WebSocket Binding 1.0, for the subprotocol; Microsoft, "AMQP 1.0 protocol guide",
for the path.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Any, cast

from aiohttp import WSMsgType, hdrs, web

from local.net.http_limits import protocols, refusal

PATH = "/$servicebus/websocket"
SUBPROTOCOL = "AMQPWSB10"
UPGRADE_SECONDS = 20.0
# The marks at which a connection is asked to write no more, and may write again, in bytes.
HIGH_WATER, LOW_WATER = 64 * 1024, 16 * 1024

_REQUEST = b"GET "
_NO_LOG = logging.getLogger("local.bus.websocket")
_NO_LOG.setLevel(logging.CRITICAL)

AmqpFactory = Callable[[], asyncio.Protocol]


class WebSocketTransport(asyncio.Transport):
    """What a connection writes to: its bytes leave as binary messages of a WebSocket."""

    def __init__(self, socket: web.WebSocketResponse, below: asyncio.Transport) -> None:
        super().__init__()
        self._socket = socket
        self._below = below
        self._pending = bytearray()
        self._wake = asyncio.Event()
        self._readable = asyncio.Event()
        self._readable.set()
        self._is_closing = False
        self._is_paused = False

    def is_closing(self) -> bool:
        """Return whether it is closed, or is about to be."""
        return self._is_closing or self._below.is_closing()

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Send bytes, after those that wait."""
        if not self._is_closing:
            self._pending += data
            self._wake.set()

    def close(self) -> None:
        """Close it when all that was written is sent."""
        self._is_closing = True
        self._wake.set()
        self._readable.set()

    def abort(self) -> None:
        """Break the connection."""
        self._is_closing = True
        self._pending.clear()
        self._wake.set()
        self._readable.set()
        self._below.abort()

    def pause_reading(self) -> None:
        """Read no more of the client."""
        self._readable.clear()

    def resume_reading(self) -> None:
        """Go on reading."""
        self._readable.set()

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        """Return what the socket below knows."""
        return self._below.get_extra_info(name, default)

    async def serve(self, amqp: asyncio.Protocol) -> None:
        """Let a connection speak, until one of the two ends it."""
        amqp.connection_made(self)
        sending = asyncio.ensure_future(self._send(amqp))
        try:
            await self._receive(amqp)
        finally:
            self.close()
            amqp.connection_lost(None)
            await sending

    async def _receive(self, amqp: asyncio.Protocol) -> None:
        while True:
            await self._readable.wait()
            message = await self._socket.receive()
            if message.type is not WSMsgType.BINARY:
                return
            amqp.data_received(message.data)

    async def _send(self, amqp: asyncio.Protocol) -> None:
        while True:
            await self._wake.wait()
            self._wake.clear()
            if self._pending:
                data = bytes(self._pending)
                self._pending.clear()
                if len(data) > HIGH_WATER and not self._is_paused:
                    self._is_paused = True
                    amqp.pause_writing()
                try:
                    await self._socket.send_bytes(data)
                except ConnectionError:
                    self.abort()
            if self._is_paused and len(self._pending) <= LOW_WATER and not self.is_closing():
                self._is_paused = False
                amqp.resume_writing()
            if self._is_closing and not self._pending:
                await self._socket.close()
                return


class WebSockets:
    """Answers HTTP requests: each opens a WebSocket with a connection of AMQP in it."""

    def __init__(self, amqp: AmqpFactory) -> None:
        self._amqp = amqp
        # Whoever sends garbage gets 400; there is nothing in it that a log needs.
        self._server = web.Server(self._answer, access_log=None, logger=_NO_LOG)
        self._make_protocol = protocols(self._server)
        self._upgraded: set[object] = set()

    def protocol(self) -> asyncio.Protocol:
        """Make the protocol of one client."""
        return self._make_protocol()

    def is_upgraded(self, transport: asyncio.BaseTransport) -> bool:
        """Return whether a client's request became a WebSocket."""
        return transport in self._upgraded

    async def close(self, seconds: float) -> None:
        """End all of them; those that take longer are broken."""
        await self._server.shutdown(seconds)

    async def _answer(self, request: web.BaseRequest) -> web.StreamResponse:
        if status := refusal(request):
            return web.Response(status=status)
        if request.path.rstrip("/").lower() != PATH:
            return web.Response(status=404, text=f"WebSockets are at {PATH}.\n")
        socket = web.WebSocketResponse(protocols=(SUBPROTOCOL,), max_msg_size=_MAX_MESSAGE)
        if not socket.can_prepare(request):
            return web.Response(status=400, text="This is not the handshake of a WebSocket.\n")
        # Asked for in the first field of that name, which is the only one that aiohttp reads.
        offered = request.headers.get(hdrs.SEC_WEBSOCKET_PROTOCOL, "").split(",")
        transport = request.transport
        if SUBPROTOCOL not in [one.strip() for one in offered] or transport is None:
            return web.Response(status=400, text=f"The subprotocol is {SUBPROTOCOL}.\n")
        await socket.prepare(request)
        self._upgraded.add(transport)
        try:
            await WebSocketTransport(socket, transport).serve(self._amqp())
        finally:
            self._upgraded.discard(transport)
        return socket


class AmqpOrWebSocket(asyncio.Protocol):
    """A connection of which the first bytes say whether AMQP comes alone or in a WebSocket."""

    def __init__(self, amqp: asyncio.Protocol, web_sockets: WebSockets) -> None:
        self._inner = amqp
        self._web_sockets = web_sockets
        self._is_decided = False
        self._first = b""
        self._upgrading: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take it for AMQP until it shows otherwise."""
        self._transport = cast("asyncio.Transport", transport)
        self._inner.connection_made(transport)

    def data_received(self, data: bytes) -> None:
        """Decide by the first bytes; hand on all others."""
        if not self._is_decided:
            data = self._first = self._first + data
            if _REQUEST.startswith(data):
                return  # too little to know; it has the time of an AMQP opening
            self._is_decided, self._first = True, b""
            if data.startswith(_REQUEST):
                self._become_http()
        self._inner.data_received(data)

    def _become_http(self) -> None:
        self._inner.connection_lost(None)
        self._inner = self._web_sockets.protocol()
        self._inner.connection_made(self._transport)
        # The server of HTTP has no limit of its own for headers that never end.
        loop = asyncio.get_running_loop()
        self._upgrading = loop.call_later(UPGRADE_SECONDS, self._check_upgrade)

    def _check_upgrade(self) -> None:
        if not self._web_sockets.is_upgraded(self._transport):
            self._transport.abort()

    def pause_writing(self) -> None:
        """Hand on."""
        self._inner.pause_writing()

    def resume_writing(self) -> None:
        """Hand on."""
        self._inner.resume_writing()

    def eof_received(self) -> bool | None:
        """Hand on."""
        return self._inner.eof_received()

    def connection_lost(self, exc: Exception | None) -> None:
        """Hand on."""
        if self._upgrading is not None:
            self._upgrading.cancel()
        self._inner.connection_lost(exc)


_MAX_MESSAGE = 1024 * 1024  # a frame of AMQP is a sixteenth of it
