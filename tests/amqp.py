"""A client of AMQP that is bound by nothing: it says what a test wants, and hears all of it."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from dataclasses import dataclass, field
from typing import TypeVar

from local.bus.amqp import performatives as amqp
from local.bus.amqp.frames import AMQP, HEADER, SASL, Frame, FrameReader, ProtocolHeader, frame
from local.bus.amqp.message import encode_response
from local.bus.amqp.values import Described, Symbol, ULong, Value

Some = TypeVar("Some", bound=amqp.Performative)


@dataclass
class Raw:
    """A client that says whatever a test wants said, in AMQP or not."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    frames: FrameReader = field(default_factory=FrameReader)

    async def item(self) -> ProtocolHeader | Frame | None:
        """Read the next header or frame; None at the end of the stream."""
        while (item := self.frames.next()) is None:
            try:
                data = await asyncio.wait_for(self.reader.read(65536), 30)
            except ConnectionError:
                return None
            if not data:
                return None
            self.frames.feed(data)
        return item

    async def read(self) -> amqp.Performative | None:
        """Read the next performative; None at the end of the stream."""
        item = await self.item()
        while isinstance(item, ProtocolHeader) or (item is not None and not item.body):
            item = await self.item()
        return None if item is None else amqp.read(item.body)[0]

    async def payload(self) -> bytes:
        """Read on to the next transfer, and return what it carries."""
        while (item := await self.item()) is not None:
            if isinstance(item, Frame) and item.body:
                performative, payload = amqp.read(item.body)
                if isinstance(performative, amqp.Transfer):
                    return payload
        raise EOFError

    async def until(self, kind: type[Some]) -> Some:
        """Read on to the next performative of a kind."""
        while (performative := await self.read()) is not None:
            if isinstance(performative, kind):
                return performative
        raise EOFError

    async def rest(self) -> list[amqp.Performative]:
        """Read everything until the server hangs up."""
        got = []
        while (performative := await self.read()) is not None:
            got.append(performative)
        return got

    def send(self, performative: amqp.Performative, payload: bytes = b"", channel: int = 0) -> None:
        kind = SASL if performative.CODE >= 0x40 else AMQP
        self.writer.write(frame(kind, channel, amqp.write(performative) + payload))

    def sign_in(self, mechanism: str, response: bytes | None = None) -> None:
        """Say who this is, and no more: a refusal hangs up, on what is being said as well."""
        self.writer.write(HEADER[SASL])
        self.send(amqp.SaslInit(Symbol(mechanism), response))

    def hello(self, mechanism: str = "ANONYMOUS", response: bytes | None = None) -> None:
        """Greet, all at once."""
        self.sign_in(mechanism, response)
        self.writer.write(HEADER[AMQP])
        self.send(amqp.Open("raw", max_frame_size=65536))
        self.send(amqp.Begin(None, 0, 1000, 1000))

    def attach(self, handle: int, address: str, *, receives: bool) -> None:
        source = Described(ULong(0x28), [address if receives else "here"])
        target = Described(ULong(0x29), ["here" if receives else address])
        name = f"link-{handle}"
        self.send(
            amqp.Attach(name, handle, receives, 0, 0, source, target, initial_delivery_count=0)
        )

    def put_token(self, audience: str, token: str, operation: str = "put-token") -> None:
        """Ask $cbs, over handles 0 and 1."""
        self.attach(0, "$cbs", receives=False)
        self.attach(1, "$cbs", receives=True)
        self.send(amqp.Flow(0, 1000, 0, 1000, 1, 0, 10))
        properties: dict[Value, Value] = {"operation": operation, "name": audience}
        self.transfer(0, encode_response(None, properties, token))

    def transfer(self, handle: int, payload: bytes, message_format: int = 0) -> None:
        """Send a message, in as many frames as it takes."""
        for start in range(0, len(payload), 60_000):
            more = start + 60_000 < len(payload)
            first = amqp.Transfer(handle, 0, b"t", message_format, more=more)
            self.send(first, payload[start : start + 60_000])

    def close(self) -> None:
        self.writer.transport.abort()

    async def closed(self) -> None:
        """Wait until this side of the connection is closed."""
        with contextlib.suppress(ConnectionError, ssl.SSLError):
            await self.writer.wait_closed()
