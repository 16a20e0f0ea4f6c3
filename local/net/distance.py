"""Connections as from far away: each byte arrives half a round trip late, in both directions.

Loopback hides what a region's distance costs. What is sent close together arrives close together:
only the delay is simulated, not a limited rate.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Any

_CONNECTING = 2  # round trips before the first byte: one for TCP, one for TLS 1.3

ProtocolFactory = Callable[[], asyncio.Protocol]


def distant(factory: ProtocolFactory, round_trip: float) -> ProtocolFactory:
    """Return what makes the same protocols for clients at a distance of `round_trip` seconds."""
    if not round_trip:
        return factory
    return lambda: DistantProtocol(factory(), round_trip)


class DelayLine:
    """Calls, each made `seconds` after it was put in, in their order."""

    def __init__(self, loop: asyncio.AbstractEventLoop, seconds: float) -> None:
        self.held = 0
        self._loop = loop
        self._seconds = seconds
        self._waiting: deque[tuple[float, int, Callable[[], object]]] = deque()
        self._timer: asyncio.TimerHandle | None = None

    def put(self, call: Callable[[], object], size: int = 0, seconds: float | None = None) -> None:
        """Put a call in; `size` counts as `held` until it is made. No call overtakes another."""
        due = self._loop.time() + (self._seconds if seconds is None else seconds)
        self.held += size
        self._waiting.append((due, size, call))
        if self._timer is None:
            self._timer = self._loop.call_at(due, self._make)

    def clear(self) -> None:
        """Make none of the calls that wait."""
        self._waiting.clear()
        self.held = 0

    def _make(self) -> None:
        self._timer = None
        while self._waiting and self._waiting[0][0] <= self._loop.time():
            _, size, call = self._waiting.popleft()
            self.held -= size
            call()
        if self._waiting and self._timer is None:
            self._timer = self._loop.call_at(self._waiting[0][0], self._make)


class DistantTransport(asyncio.Transport):
    """The server's end: what it writes leaves half a round trip later."""

    def __init__(self, transport: asyncio.Transport, line: DelayLine) -> None:
        super().__init__()
        self._transport = transport
        self._line = line
        self._is_closing = False

    def write(self, data: Any) -> None:
        """Send bytes, after all that was sent before."""
        if not self.is_closing():
            copy = bytes(data)
            self._line.put(lambda: self._transport.write(copy), len(copy))

    def write_eof(self) -> None:
        """Send the end of the stream, after all that was sent before."""
        self._line.put(self._transport.write_eof)

    def close(self) -> None:
        """Close the connection, after all that was sent before."""
        if not self._is_closing:
            self._is_closing = True
            self._line.put(self._transport.close)

    def abort(self) -> None:
        """Break the connection; nothing more arrives."""
        self._is_closing = True
        self._line.clear()
        self._transport.abort()

    def is_closing(self) -> bool:
        """Return whether nothing more can be written."""
        return self._is_closing or self._transport.is_closing()

    def can_write_eof(self) -> bool:
        """Return whether the stream can end in this direction alone."""
        return self._transport.can_write_eof()

    def get_write_buffer_size(self) -> int:
        """Return how many bytes have not left."""
        return self._line.held + self._transport.get_write_buffer_size()

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        """Say when writing is to pause."""
        self._transport.set_write_buffer_limits(high, low)

    def get_write_buffer_limits(self) -> tuple[int, int]:
        """Return when writing pauses."""
        return self._transport.get_write_buffer_limits()

    def pause_reading(self) -> None:
        """Read no more from the socket; what has been read already still arrives."""
        self._transport.pause_reading()

    def resume_reading(self) -> None:
        """Read on."""
        self._transport.resume_reading()

    def is_reading(self) -> bool:
        """Return whether the socket is read."""
        return self._transport.is_reading()

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        """Return what is known of the connection."""
        return self._transport.get_extra_info(name, default)

    def get_protocol(self) -> asyncio.BaseProtocol:
        """Return the protocol of the socket."""
        return self._transport.get_protocol()

    def lost(self) -> None:
        """Send nothing more: there is no connection."""
        self._is_closing = True
        self._line.clear()


class DistantProtocol(asyncio.Protocol):
    """A server's protocol whose client is `round_trip` seconds away."""

    def __init__(self, inner: asyncio.Protocol, round_trip: float) -> None:
        self._inner = inner
        self._round_trip = round_trip

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin, as late as a client so far away would send its first byte."""
        assert isinstance(transport, asyncio.Transport)  # noqa: S101 - for mypy
        loop, half = asyncio.get_running_loop(), self._round_trip / 2
        self._arriving = DelayLine(loop, half)
        self._transport = DistantTransport(transport, DelayLine(loop, half))
        # TLS has no stream that ends in one direction alone, and asyncio warns of who wants one.
        self._stays_open = transport.get_extra_info("sslcontext") is None
        connecting = _CONNECTING * self._round_trip
        self._arriving.put(lambda: self._inner.connection_made(self._transport), seconds=connecting)

    def data_received(self, data: bytes) -> None:
        """Pass on what arrives."""
        self._arriving.put(lambda: self._inner.data_received(data))

    def eof_received(self) -> bool:
        """Pass on the end of what the client sends."""
        self._arriving.put(self._end)
        return self._stays_open

    def _end(self) -> None:
        if not self._inner.eof_received():
            self._transport.close()

    def connection_lost(self, exc: Exception | None) -> None:
        """Pass on the end of the connection, behind all that came before it."""
        self._transport.lost()
        self._arriving.put(lambda: self._inner.connection_lost(exc))

    def pause_writing(self) -> None:
        """Pass on that the client does not keep up."""
        self._inner.pause_writing()

    def resume_writing(self) -> None:
        """Pass on that it does."""
        self._inner.resume_writing()
