"""One connection: greeting, authentication, signs of life, and the sessions on it.

Source: OASIS AMQP 1.0, part 2 (Transport), 2.4, and part 5 (Security), 5.3.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import cast

from local.authorization.program import is_probe
from local.bus.amqp import frames
from local.bus.amqp import performatives as amqp
from local.bus.amqp.decoding import DecodeError
from local.bus.amqp.errors import (
    CONNECTION_FORCED,
    DECODE_ERROR,
    ILLEGAL_STATE,
    INTERNAL_ERROR,
    INVALID_FIELD,
    NOT_ALLOWED,
    RESOURCE_LIMIT,
    AmqpError,
    UnauthorizedError,
)
from local.bus.amqp.frames import Frame, FrameReader, ProtocolHeader
from local.bus.amqp.values import Array, Symbol
from local.bus.broker.address import CBS
from local.bus.broker.journal import JournalError
from local.bus.broker.namespace import Namespace
from local.bus.security.audit_sink import AuditSink
from local.bus.security.claims import ConnectionClaims
from local.bus.security.principal import AccessControl
from local.bus.server.session import Session

logger = logging.getLogger("local.bus")

MECHANISMS = ("MSSBCBS", "PLAIN", "ANONYMOUS", "EXTERNAL")
CHANNEL_MAX = 255
MIN_MAX_FRAME = 512
IDLE_SECONDS = 120.0
GREETING_SECONDS = 20.0
LINKLESS_SECONDS = 60.0  # as Azure gives a connection without links
GOODBYE_SECONDS = 5.0
TICK_SECONDS = 1.0
MIN_TICK_SECONDS = 0.1
FLUSH_BYTES = 65536
MAX_HELD_BYTES = 16 * 1024 * 1024

_LINKLESS = (
    "The connection was closed because it did not have any active links in the past "
    f"{LINKLESS_SECONDS * 1000:.0f} milliseconds."
)


@dataclass(frozen=True)
class Broker:
    """What all connections of a bus share. `commit` makes durable what happened so far."""

    namespace: Namespace
    access: AccessControl
    clock: Callable[[], float]
    commit: Callable[[], None] = lambda: None
    audit: AuditSink = field(default_factory=AuditSink)


class Connection(asyncio.Protocol):
    """A client's connection, from its first octet to its last.

    Input is not read while the client does not read what it was sent, so that neither side of a
    connection can make the bus hoard.
    """

    def __init__(self, broker: Broker, connections: set[Connection], limit: int) -> None:
        self.namespace = broker.namespace
        self.claims = ConnectionClaims(broker.access, broker.clock, broker.audit)
        self.sessions: dict[int, Session] = {}
        self.links = 0
        self._held_octets = 0
        self.max_frame = MIN_MAX_FRAME
        self.is_writable = True
        self._commit = broker.commit
        self._connections = connections
        self._limit = limit
        self._reader = FrameReader()
        self._output = bytearray()
        self._flushing: asyncio.Handle | None = None
        self._step: Callable[[ProtocolHeader | Frame], None] = self._on_first_header
        self._is_open = False
        self._is_closing = False
        self._is_to_break = False
        self._heartbeat = 0.0
        self._tick_seconds = TICK_SECONDS

    # asyncio.Protocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Start the clock of the greeting."""
        self._transport = cast("asyncio.Transport", transport)
        self._loop = asyncio.get_running_loop()
        self._heard_at = self._spoke_at = self._made_at = self._linked_at = self._loop.time()
        self._timer = self._loop.call_later(TICK_SECONDS, self._tick)
        if len(self._connections) >= self._limit:
            self.drop()
        self._connections.add(self)

    def data_received(self, data: bytes) -> None:
        """Take octets, act on the whole frames among them."""
        self._reader.feed(data)
        self._read()

    def pause_writing(self) -> None:
        """Stop reading and delivering: the client does not keep up."""
        self.is_writable = False
        self._transport.pause_reading()

    def resume_writing(self) -> None:
        """Go on with what was read before, then with reading and delivering."""
        self.is_writable = True
        self._read()
        if self.is_writable and not self._transport.is_closing():
            self._transport.resume_reading()
            for session in list(self.sessions.values()):
                session.wake()

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - why makes no difference
        """Forget the connection; locks of its deliveries last until they expire."""
        self._is_closing = True
        self._timer.cancel()
        self._connections.discard(self)
        self._end_sessions()

    # What a client makes the bus keep

    def reserve(self, octets: int) -> None:
        """Count octets kept for this client: unfinished messages, answers it gives no credit for.

        Raises AmqpError where that is above the limit, and counts nothing then.
        """
        if self._held_octets + octets > MAX_HELD_BYTES:
            raise AmqpError(RESOURCE_LIMIT, "Too much is kept for one connection.")
        self._held_octets += octets

    def release(self, octets: int) -> None:
        """Count octets no longer kept."""
        self._held_octets -= octets

    # Sending

    def send(self, channel: int, performative: amqp.Performative, payload: bytes = b"") -> None:
        """Queue one frame; it leaves with all others of this turn of the loop."""
        self._write(frames.frame(frames.AMQP, channel, amqp.write(performative) + payload))

    def _send_sasl(self, performative: amqp.Performative) -> None:
        self._write(frames.frame(frames.SASL, 0, amqp.write(performative)))

    def close(self, error: AmqpError | None = None) -> None:
        """Say goodbye, with a reason where there is one, and hang up."""
        if self._is_closing:
            return
        if self._is_open:
            self.send(0, amqp.Close(error.wire() if error else None))
        self._hang_up()

    def drop(self) -> None:
        """Break the connection without a word, as a failing network does."""
        self._is_closing = True
        self._transport.abort()

    def drop_mid_frame(self) -> None:
        """Break the connection in the middle of the last frame of what is sent next."""
        self._is_to_break = True

    def _hang_up(self) -> None:
        self._flush()
        self._is_closing = True
        self._end_sessions()
        self._transport.close()
        # A peer that reads no more would keep the goodbye, and the socket, for ever.
        self._loop.call_later(GOODBYE_SECONDS, self._transport.abort)

    def _end_sessions(self) -> None:
        for session in list(self.sessions.values()):
            session.end()
        self.sessions.clear()

    def _write(self, octets: bytes) -> None:
        if self._is_closing:
            return
        self._output += octets
        if len(self._output) > FLUSH_BYTES:
            self._flush()
        elif self._flushing is None:
            self._flushing = self._loop.call_soon(self._flush)

    def _flush(self) -> None:
        if self._flushing is not None:
            self._flushing.cancel()
            self._flushing = None
        if self._output and not self._transport.is_closing():
            self._emit(bytes(self._output))
        self._output.clear()

    def _emit(self, octets: bytes) -> None:
        # Nothing is told to anybody, least of all an acknowledgement, before it is durable.
        try:
            self._commit()
        except JournalError as error:
            logger.error("connection broken: %s", error)  # noqa: TRY400 - no trace is needed
            self.drop()
            return
        self._transport.write(frames.break_off(octets) if self._is_to_break else octets)
        self._spoke_at = self._loop.time()
        if self._is_to_break:
            self.drop()

    # Time

    def _tick(self) -> None:
        now = self._loop.time()
        self._timer = self._loop.call_later(self._tick_seconds, self._tick)
        if self._has_links():
            self._linked_at = now
        if not self._is_open and now - self._made_at > GREETING_SECONDS:
            self.drop()
        elif now - self._linked_at > LINKLESS_SECONDS and self.is_writable:
            self.close(AmqpError(CONNECTION_FORCED, _LINKLESS))
        elif now - self._heard_at > IDLE_SECONDS and self.is_writable:
            self.close(AmqpError(CONNECTION_FORCED, "The connection was inactive for too long."))
        elif now - self._heard_at > 2 * IDLE_SECONDS:
            self.drop()
        elif self._heartbeat and now - self._spoke_at >= self._heartbeat:
            self._write(frames.EMPTY_FRAME)
        for session in list(self.sessions.values()):
            session.check_rights()

    def _has_links(self) -> bool:
        # Those to $cbs do not count. Anybody gets them, and could hold the few connections that
        # there are without ever showing a token.
        every = (link for session in self.sessions.values() for link in session.links.values())
        return any(link.address.entity != CBS for link in every)

    # Reading

    def _read(self) -> None:
        try:
            while self.is_writable and not self._is_closing:
                item = self._reader.next()
                if item is None:
                    break
                # Whole ones count: a frame that never ends, however steadily it comes, is silence.
                self._heard_at = self._loop.time()
                self._step(item)
        except DecodeError as error:
            logger.debug("malformed input: %s", error)
            self.close(AmqpError(DECODE_ERROR, str(error)))
        except AmqpError as error:
            self.close(error)
        except Exception as error:  # noqa: BLE001 - one client's input must not stop the others
            logger.warning("connection closed after %s", type(error).__name__)
            self.close(AmqpError(INTERNAL_ERROR, "The server was unable to process the request."))

    def _on_first_header(self, item: ProtocolHeader | Frame) -> None:
        # Nobody gets past here without SASL, as in Azure.
        if not isinstance(item, ProtocolHeader) or item.octets != frames.HEADER[frames.SASL]:
            self._write(frames.HEADER[frames.SASL])
            self._hang_up()
            return
        mechanisms = Array(0xB3, tuple(Symbol(name) for name in MECHANISMS))
        self._write(frames.HEADER[frames.SASL])
        self._send_sasl(amqp.SaslMechanisms(mechanisms))
        self._step = self._on_sasl_init

    def _on_sasl_init(self, item: ProtocolHeader | Frame) -> None:
        init, _ = amqp.read(self._body(item, frames.SASL))
        if not isinstance(init, amqp.SaslInit):
            raise DecodeError("SASL without an init")
        good = self._authenticate(init)
        self._send_sasl(amqp.SaslOutcome(0 if good else 1))
        if not good:
            self._hang_up()
        self._step = self._on_second_header

    def _authenticate(self, init: amqp.SaslInit) -> bool:
        # ANONYMOUS, MSSBCBS and EXTERNAL open the door to $cbs only: rights come with a token.
        if init.mechanism != "PLAIN":
            return init.mechanism in MECHANISMS
        try:
            _, name, key = (init.initial_response or b"").decode().split("\0")
            self.claims.put_plain(name, key)
        except (UnauthorizedError, ValueError):
            return False
        return True

    def _on_second_header(self, item: ProtocolHeader | Frame) -> None:
        self._write(frames.HEADER[frames.AMQP])
        if not isinstance(item, ProtocolHeader) or item.octets != frames.HEADER[frames.AMQP]:
            self._hang_up()
        self._step = self._on_open

    def _on_open(self, item: ProtocolHeader | Frame) -> None:
        opening, _ = amqp.read(self._body(item, frames.AMQP))
        if not isinstance(opening, amqp.Open):
            raise AmqpError(ILLEGAL_STATE, "The connection is not open.")
        self.max_frame = min(opening.max_frame_size, frames.MAX_FRAME)
        if opening.idle_time_out:
            self._heartbeat = opening.idle_time_out / 2000
            # However often a client wants to hear from us, it does not get us to do nothing else.
            self._tick_seconds = max(MIN_TICK_SECONDS, min(TICK_SECONDS, self._heartbeat))
            self._timer.cancel()
            self._timer = self._loop.call_later(self._tick_seconds, self._tick)
        self.claims.probe = is_probe((opening.properties or {}).get(Symbol("user-agent")))
        self._is_open = True
        self._step = self._on_frame
        self.send(
            0,
            amqp.Open(
                container_id="local.bus",
                max_frame_size=frames.MAX_FRAME,
                channel_max=CHANNEL_MAX,
                idle_time_out=int(IDLE_SECONDS * 1000),
            ),
        )
        if self.max_frame < MIN_MAX_FRAME:
            raise AmqpError(INVALID_FIELD, "max-frame-size is below 512.")

    def _on_frame(self, item: ProtocolHeader | Frame) -> None:
        body = self._body(item, frames.AMQP)
        if not body or not isinstance(item, Frame):
            return
        performative, payload = amqp.read(body)
        logger.debug("%s", type(performative).__name__)
        if isinstance(performative, amqp.Begin):
            self._begin(item.channel, performative)
        elif isinstance(performative, amqp.Close):
            self.close()
        else:
            self._on_session_frame(item.channel, performative, payload)

    def _on_session_frame(
        self, channel: int, performative: amqp.Performative, payload: bytes
    ) -> None:
        session = self.sessions.get(channel)
        if session is None:
            raise AmqpError(NOT_ALLOWED, "There is no session on that channel.")
        if isinstance(performative, amqp.End):
            self.send(channel, amqp.End())
            del self.sessions[channel]
            session.end()
        else:
            session.on_frame(performative, payload)

    def _begin(self, channel: int, begin: amqp.Begin) -> None:
        if channel in self.sessions or channel > CHANNEL_MAX:
            raise AmqpError(NOT_ALLOWED, "The channel is in use or above channel-max.")
        self.sessions[channel] = Session(self, channel, begin)

    @staticmethod
    def _body(item: ProtocolHeader | Frame, kind: int) -> bytes:
        if not isinstance(item, Frame) or item.kind != kind:
            raise DecodeError("header or frame of another layer")
        return item.body
