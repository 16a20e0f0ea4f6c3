"""The host's connection to a namespace, with one session on it.

Source: OASIS AMQP 1.0, part 2 (Transport), and part 5 (Security), 5.3.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Protocol

from local.bus.amqp import frames
from local.bus.amqp import performatives as amqp
from local.bus.amqp.decoding import DecodeError
from local.bus.amqp.frames import Frame, FrameReader, ProtocolHeader
from local.bus.amqp.values import Described, Symbol, Value

_WINDOW = 2**31 - 1  # transfers; the credit of links is what limits what is sent here
_OPEN_SECONDS = 20.0
_SILENCE_SECONDS = 60.0  # after which a bus that sends not even an empty frame counts as lost
_HEARTBEAT_SECONDS = 20.0
_CLOSE_SECONDS = 2.0


class BusLinkError(Exception):
    """The bus refuses or has ended something; `condition` is AMQP's name for why."""

    def __init__(self, condition: str, description: str) -> None:
        super().__init__(f"{condition}: {description}")
        self.condition = condition
        self.description = description

    @classmethod
    def of(cls, error: Value, otherwise: str) -> BusLinkError:
        """Read an error of AMQP."""
        fields = error.value if isinstance(error, Described) else None
        if isinstance(fields, list) and fields:
            return cls(str(fields[0]), str(fields[1]) if len(fields) > 1 else "")
        return cls(otherwise, "the bus gave no reason")


class BusLostError(BusLinkError):
    """The connection is gone: what is not settled comes again when its lock ends."""


@dataclass(frozen=True)
class Address:
    """Where a bus is; `tls` is None for a connection in clear."""

    host: str
    port: int
    tls: ssl.SSLContext | None


class FrameTarget(Protocol):
    """A link, as its session knows it."""

    def on_frame(self, performative: amqp.Performative, payload: bytes) -> None:
        """Act on a frame for it."""

    def on_lost(self, error: BusLinkError) -> None:
        """Act on the end of the link or of its connection."""


class BusConnection(asyncio.Protocol):
    """A connection whose links have handles; frames of one turn of the loop leave together."""

    def __init__(self) -> None:
        self._links: dict[int, FrameTarget] = {}
        self._reader = FrameReader()
        self._opening: asyncio.Queue[ProtocolHeader | Frame | None] = asyncio.Queue()
        self._is_open = False
        self._is_lost = False
        self._out = bytearray()
        self._flushing = False
        self._next_incoming_id = 0
        self._next_handle = 0
        self._next_outgoing_id = 0
        self._on_disposition: Callable[[amqp.Disposition], None] = lambda _: None
        self._lost = asyncio.Event()

    @classmethod
    async def open(cls, address: Address, name_and_key: tuple[str, str] | None) -> BusConnection:
        """Connect, sign in with the name and key of a rule if given, and begin the session.

        Raises OSError, BusLinkError and TimeoutError.
        """
        loop = asyncio.get_running_loop()
        async with asyncio.timeout(_OPEN_SECONDS):
            _, connection = await loop.create_connection(
                cls,
                address.host,
                address.port,
                ssl=address.tls,
                server_hostname=address.host if address.tls else None,
            )
            try:
                await connection.greet(address.host, name_and_key)
            except BaseException:
                connection.abort()
                raise
        return connection

    # Links

    def add_link(self, link: FrameTarget) -> int:
        """Return the handle of a new link, whose frames go to it from now on."""
        handle, self._next_handle = self._next_handle, self._next_handle + 1
        self._links[handle] = link
        return handle

    def on_disposition(self, target: Callable[[amqp.Disposition], None]) -> None:
        """Hand the bus's dispositions of deliveries over; they name no link."""
        self._on_disposition = target

    def flow(self, handle: int, delivery_count: int, credit: int) -> None:
        """Give a link credit."""
        self.send(
            amqp.Flow(
                next_incoming_id=self._next_incoming_id,
                incoming_window=_WINDOW,
                next_outgoing_id=self._next_outgoing_id,
                outgoing_window=_WINDOW,
                handle=handle,
                delivery_count=delivery_count,
                link_credit=credit,
            )
        )

    def transfer(self, handle: int, payload: bytes) -> None:
        """Send a message that is settled already, in one frame."""
        number, self._next_outgoing_id = self._next_outgoing_id, self._next_outgoing_id + 1
        tag = number.to_bytes(4, "big")
        self.send(amqp.Transfer(handle, number, tag, 0, settled=True), payload)

    def send(self, performative: amqp.Performative, payload: bytes = b"") -> None:
        """Send a frame. Raises BusLostError where there is no connection any more."""
        if self._is_lost:
            raise BusLostError("amqp:connection:lost", "the connection is gone")
        kind = frames.SASL if performative.CODE >= amqp.SaslMechanisms.CODE else frames.AMQP
        self._write(frames.frame(kind, 0, amqp.write(performative) + payload))

    async def close(self) -> None:
        """Close the connection."""
        if not self._is_lost:
            with suppress(BusLostError, TimeoutError):
                self.send(amqp.Close())
                async with asyncio.timeout(_CLOSE_SECONDS):
                    await self._lost.wait()
        self.abort()

    def abort(self) -> None:
        """Break the connection."""
        self._transport.abort()

    # asyncio.Protocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport, and begin to watch for silence."""
        assert isinstance(transport, asyncio.Transport)  # noqa: S101 - for mypy
        self._transport = transport
        self._loop = asyncio.get_running_loop()
        self._heard_at = self._loop.time()
        self._timer = self._loop.call_later(_HEARTBEAT_SECONDS, self._beat)

    def data_received(self, data: bytes) -> None:
        """Act on the whole frames among what has arrived."""
        self._heard_at = self._loop.time()
        self._reader.feed(data)
        try:
            while (item := self._reader.next()) is not None:
                if self._is_open:
                    self._on_item(item)
                else:
                    self._opening.put_nowait(item)
        except DecodeError:
            self._end(BusLostError("amqp:decode-error", "the bus does not speak AMQP"))

    def connection_lost(self, exc: Exception | None) -> None:
        """Let all links know."""
        self._end(BusLostError("amqp:connection:lost", str(exc or "the bus hung up")))

    def _end(self, error: BusLostError) -> None:
        if self._is_lost:
            return
        self._is_lost = True
        self._timer.cancel()
        self._lost.set()
        self._opening.put_nowait(None)
        self._transport.abort()
        links = list(self._links.values())
        self._links.clear()
        for link in links:
            link.on_lost(error)

    def _beat(self) -> None:
        if self._loop.time() - self._heard_at > _SILENCE_SECONDS:
            self._end(BusLostError("amqp:connection:lost", "the bus is silent"))
            return
        self._timer = self._loop.call_later(_HEARTBEAT_SECONDS, self._beat)
        if self._is_open:
            self._write(frames.EMPTY_FRAME)

    def _write(self, data: bytes) -> None:
        self._out += data
        if not self._flushing:
            self._flushing = True
            self._loop.call_soon(self._flush)

    def _flush(self) -> None:
        self._flushing = False
        if not self._is_lost:
            self._transport.write(bytes(self._out))
        self._out.clear()

    # Opening

    async def greet(self, host: str, name_and_key: tuple[str, str] | None) -> None:
        """Sign in and begin the session, once connected. Raises BusLinkError."""
        self._write(frames.HEADER[frames.SASL])
        await self._expect_header(frames.SASL)
        await self._expect(amqp.SaslMechanisms)
        if name_and_key:
            response = "\0{}\0{}".format(*name_and_key).encode()
            self.send(amqp.SaslInit(Symbol("PLAIN"), response, host))
        else:
            self.send(amqp.SaslInit(Symbol("ANONYMOUS"), None, host))
        outcome = await self._expect(amqp.SaslOutcome)
        if outcome.code:
            raise BusLinkError("amqp:unauthorized-access", "the bus refuses the sign-in")
        self._write(frames.HEADER[frames.AMQP])
        await self._expect_header(frames.AMQP)
        self.send(
            amqp.Open(
                "local.host",
                host,
                max_frame_size=frames.MAX_FRAME,
                idle_time_out=int(_SILENCE_SECONDS * 1000),
            )
        )
        await self._expect(amqp.Open)
        self.send(amqp.Begin(None, self._next_outgoing_id, _WINDOW, _WINDOW))
        begin = await self._expect(amqp.Begin)
        self._next_incoming_id = begin.next_outgoing_id
        self._is_open = True

    async def _next(self) -> ProtocolHeader | Frame:
        item = await self._opening.get()
        if item is None:
            raise BusLostError("amqp:connection:lost", "the bus hung up")
        return item

    async def _expect_header(self, kind: int) -> None:
        item = await self._next()
        if not isinstance(item, ProtocolHeader) or item.octets != frames.HEADER[kind]:
            raise BusLostError("amqp:decode-error", "the bus does not speak AMQP")

    async def _expect(self, kind: type[amqp.Some]) -> amqp.Some:
        item = await self._next()
        while isinstance(item, Frame) and not item.body:
            item = await self._next()
        if isinstance(item, Frame):
            performative, _ = amqp.read(item.body)
            if isinstance(performative, kind):
                return performative
            if isinstance(performative, amqp.Close):
                raise BusLinkError.of(performative.error, "amqp:connection:forced")
        raise BusLostError("amqp:decode-error", f"the bus does not answer with {kind.__name__}")

    # Frames

    def _on_item(self, item: ProtocolHeader | Frame) -> None:
        if isinstance(item, ProtocolHeader):
            raise DecodeError("a header after the opening")
        if not item.body:
            return
        performative, payload = amqp.read(item.body)
        match performative:
            case amqp.Transfer():
                self._next_incoming_id = (self._next_incoming_id + 1) % 2**32
                self._on_link_frame(performative.handle, performative, payload)
            case amqp.Disposition():
                self._on_disposition(performative)
            case amqp.Flow():
                if performative.handle is not None:
                    self._on_link_frame(performative.handle, performative, payload)
            case amqp.Attach() | amqp.Detach():
                self._on_link_frame(performative.handle, performative, payload)
            case amqp.Close() | amqp.End():
                error = BusLinkError.of(performative.error, "amqp:connection:forced")
                self._end(BusLostError(error.condition, error.description))

    def _on_link_frame(self, handle: int, performative: amqp.Performative, payload: bytes) -> None:
        link = self._links.get(handle)
        if link is None:
            return
        if isinstance(performative, amqp.Detach):
            del self._links[handle]
            self.send(amqp.Detach(handle, closed=True))
            link.on_lost(BusLinkError.of(performative.error, "amqp:link:detach-forced"))
        else:
            link.on_frame(performative, payload)
