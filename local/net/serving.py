"""Serving HTTP on this machine, with limits on what clients may do and how long it may take."""

from __future__ import annotations

import asyncio
import re
import socket
import ssl
from collections.abc import Callable
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass
from http import HTTPStatus

from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError
from aiohttp.typedefs import Handler, Middleware

from local.net.distance import distant
from local.net.http_limits import protocols, refusal
from local.net.loopback import LOOPBACK

TLS_HANDSHAKE_SECONDS = 20
_TICK_SECONDS = 1.0
_THIS_MACHINE = re.compile(r"(?:127\.0\.0\.1|localhost|\[::1\])(?::\d{1,5})?", re.IGNORECASE)


@dataclass(frozen=True)
class Patience:
    """How long the server waits for a client, in seconds, and its minimum rate in bytes a second.

    These are limits of Kestrel, the web server of the Functions host (`KestrelServerLimits`):
    RequestHeadersTimeout, KeepAliveTimeout and MinRequestBodyDataRate, whose grace is longer here
    because a laptop may be busy. `stalled` is for a response that is not read, too.
    """

    headers: float = 30
    idle: float = 130
    stalled: float = 30
    body_rate: float = 240


@dataclass
class _ConnectionState:
    """What a connection waits for, since when, and the progress of its body and response."""

    since: float
    request: web.Request | None = None
    is_first: bool = True
    came: int = 0
    answered: tuple[int, int] = (0, 0)
    moved_at: float = 0.0


class _Watchdog:
    """Aborts connections of clients that keep a server waiting.

    Each costs memory and one of a limited number of connections, and a client that sends a byte
    now and then, or reads none, could otherwise keep it for ever.
    """

    def __init__(self, patience: Patience) -> None:
        self._patience = patience
        self._states: dict[object, _ConnectionState] = {}

    def begin(self, request: web.Request, now: float) -> None:
        self._states[request.protocol] = _ConnectionState(now, request, moved_at=now)

    def end(self, request: web.Request, now: float) -> None:
        self._states[request.protocol] = _ConnectionState(now, is_first=False)

    def look(self, server: web.Server, now: float) -> None:
        connections = server.connections
        self._states = {one: self._states.get(one) or _ConnectionState(now) for one in connections}
        for connection in connections:
            transport, waiting = connection.transport, self._states[connection]
            if transport is not None and self._is_over(waiting, transport, now):
                transport.abort()

    def _is_over(self, waiting: _ConnectionState, transport: asyncio.Transport, now: float) -> bool:
        request, waited = waiting.request, now - waiting.since
        if request is None:
            return waited > (self._patience.headers if waiting.is_first else self._patience.idle)
        unsent = transport.get_write_buffer_size()
        answered = (request.writer.output_size, unsent)
        if not request.content.is_eof():
            # Counted anew in each interval: a fast beginning does not pay for a stall later.
            enough = self._patience.body_rate * self._patience.stalled
            moved = request.content.total_bytes >= waiting.came + enough
        else:
            moved = not unsent or answered != waiting.answered
        if moved:
            waiting.came, waiting.answered = request.content.total_bytes, answered
            waiting.moved_at = now
        return now - waiting.moved_at > self._patience.stalled


async def serve(
    stack: AsyncExitStack,
    app: web.Application,
    listening: socket.socket,
    tls: ssl.SSLContext | None = None,
    *,
    finish: float = 1,
    patience: Patience | None = None,
    round_trip: float = 0.0,
) -> str:
    """Serve an application until the stack ends; return its URL without a slash at the end.

    At the end, requests in progress have `finish` seconds left. `round_trip`: the seconds that
    clients seem to be away.
    """
    make_protocol = await prepare(stack, app, finish=finish, patience=patience)
    server = await asyncio.get_running_loop().create_server(
        distant(make_protocol, round_trip),
        sock=listening,
        ssl=tls,
        ssl_handshake_timeout=TLS_HANDSHAKE_SECONDS if tls else None,
    )
    stack.callback(server.close)
    scheme = "https" if tls else "http"
    return f"{scheme}://{LOOPBACK}:{listening.getsockname()[1]}"


async def prepare(
    stack: AsyncExitStack,
    app: web.Application,
    *,
    finish: float = 1,
    patience: Patience | None = None,
) -> Callable[[], asyncio.Protocol]:
    """Put an application behind all limits; return what makes the protocol of each connection."""
    watch = _Watchdog(patience or Patience())
    app.middlewares.insert(0, _only_this_machine)
    app.middlewares.insert(0, _well_formed)
    app.middlewares.insert(0, _watched(watch))
    runner = web.AppRunner(app, shutdown_timeout=finish)
    await runner.setup()
    stack.push_async_callback(runner.cleanup)
    assert runner.server is not None  # noqa: S101 - it was set up
    watching = asyncio.create_task(_look(watch, runner.server))
    stack.push_async_callback(_cancel, watching)
    return protocols(runner.server)


def _watched(watch: _Watchdog) -> Middleware:
    clock = asyncio.get_running_loop().time

    @web.middleware
    async def watched(request: web.Request, handler: Handler) -> web.StreamResponse:
        watch.begin(request, clock())
        try:
            return await handler(request)
        finally:
            watch.end(request, clock())

    return watched


@web.middleware
async def _well_formed(request: web.Request, handler: Handler) -> web.StreamResponse:
    if status := refusal(request):
        return _closing(status)
    try:
        return await handler(request)
    except HttpProcessingError:
        return _closing(HTTPStatus.BAD_REQUEST)  # the body turned out to be malformed
    except ConnectionError:
        # A client that has gone in the middle of its request is no error of the server, and there
        # is nobody to respond to.
        if request.transport is not None:
            raise
        return _closing(HTTPStatus.BAD_REQUEST)


def _closing(status: HTTPStatus) -> web.Response:
    response = web.Response(status=status)
    response.force_close()
    return response


@web.middleware
async def _only_this_machine(request: web.Request, handler: Handler) -> web.StreamResponse:
    # A web page can give its own name the address of this machine (DNS rebinding), and its
    # browser then lets it read the responses. The Host header reveals it.
    if not _THIS_MACHINE.fullmatch(request.host):
        return web.Response(status=421, text="this server is known as 127.0.0.1 and localhost only")
    # Nor may a page of another origin have its browser send anything here. This is stricter than
    # Azure, which handles the request and leaves it to the browser to keep the response from a
    # page whose origin is not allowed.
    own = f"{request.scheme}://{request.host}".lower()
    if any(origin.lower() != own for origin in request.headers.getall("Origin", [])):
        return web.Response(status=403, text="not for pages of another origin")
    return await handler(request)


async def _look(watch: _Watchdog, server: web.Server) -> None:
    clock = asyncio.get_running_loop().time
    while True:
        await asyncio.sleep(_TICK_SECONDS)
        watch.look(server, clock())


async def _cancel(task: asyncio.Task[None]) -> None:
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task
