"""One connection of a client: its transport, its opening, and the sessions on it.

Source: OASIS AMQP 1.0, part 2 (Transport), 2.4.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import cast

from local.bus.amqp import frames
from local.bus.amqp import performatives as amqp
from local.bus.amqp.decoding import DecodeError
from local.bus.amqp.errors import (
    CONNECTION_FORCED,
    DECODE_ERROR,
    INTERNAL_ERROR,
    INVALID_FIELD,
    NOT_ALLOWED,
    AmqpError,
    TooManyConnectionsError,
)
from local.bus.amqp.frames import Frame, FrameReader, ProtocolHeader
from local.bus.broker.address import CBS
from local.bus.broker.namespace import Namespace
from local.bus.broker.transactions import Transactions
from local.bus.security.audit_sink import AuditSink
from local.bus.security.claims import ConnectionClaims
from local.bus.security.principal import AccessControl
from local.bus.server.handshake import CHANNEL_MAX, MIN_MAX_FRAME, Handshake, Phase, body_of
from local.bus.server.liveness import LINKLESS_SECONDS, Due, Liveness
from local.bus.server.memory_budget import MemoryBudget
from local.bus.server.output import Output
from local.bus.server.session import Session

logger = logging.getLogger("local.bus")

_LINKLESS = (
    "The connection was closed because it did not have any active links in the past "
    f"{LINKLESS_SECONDS * 1000:.0f} milliseconds."
)
# How many are opened beyond the limit, at once, to be refused; any more are dropped.
MAX_REFUSED = 100

_IDLE = "The connection was inactive for too long."


@dataclass(frozen=True)
class BusServices:
    """What all connections of a bus share. `commit` makes durable what happened so far."""

    namespace: Namespace
    access: AccessControl
    clock: Callable[[], float]
    commit: Callable[[], None] = lambda: None
    audit: AuditSink = field(default_factory=AuditSink)


class Connection(asyncio.Protocol):
    """A client's connection, from its first byte to its last.

    Input is not read while the client does not read what it was sent, so that neither side of a
    connection can make the bus hoard. `links` counts those of all sessions.
    """

    def __init__(self, services: BusServices, connections: set[Connection], limit: int) -> None:
        self.namespace = services.namespace
        self.claims = ConnectionClaims(services.access, services.clock, services.audit)
        self.memory = MemoryBudget()
        self.transactions = Transactions(services.namespace)
        self.sessions: dict[int, Session] = {}
        self.links = 0
        self.is_writable = True
        self._handshake = Handshake(self.claims.put_plain)
        self._commit = services.commit
        self._connections = connections
        self._limit = limit
        self._reader = FrameReader()

    @property
    def max_frame(self) -> int:
        """The largest frame that the client takes, in bytes."""
        return self._handshake.peer.max_frame

    # asyncio.Protocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Start the clock of the opening."""
        self._transport = cast("asyncio.Transport", transport)
        self._loop = asyncio.get_running_loop()
        self._liveness = Liveness(self._loop.time())
        self._output = Output(self._transport, self._loop, self._commit, self._on_sent)
        self._timer = self._loop.call_later(self._liveness.check_seconds, self._on_timer)
        open_ones = len(self._connections)
        self._is_too_many = open_ones >= self._limit
        if open_ones >= self._limit + MAX_REFUSED:
            self.drop()
        self._connections.add(self)

    def data_received(self, data: bytes) -> None:
        """Act on the whole frames among what has arrived."""
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
        self._output.is_closed = True
        self._timer.cancel()
        self._connections.discard(self)
        self._end_sessions()

    # Sending

    def send(self, channel: int, performative: amqp.Performative, payload: bytes = b"") -> None:
        """Queue one frame; it leaves with all others of this turn of the loop."""
        self._output.write(frames.frame(frames.AMQP, channel, amqp.write(performative) + payload))

    def close(self, error: AmqpError | None = None) -> None:
        """Close the connection, with a reason where there is one."""
        if self._output.is_closed:
            return
        if self._handshake.is_open:
            self.send(0, amqp.Close(error.wire() if error else None))
        self._output.close()
        self._end_sessions()

    def drop(self) -> None:
        """Break the connection without a word, as a failing network does."""
        self._output.drop()

    def drop_mid_frame(self) -> None:
        """Break the connection in the middle of the last frame of what is sent next."""
        self._output.drop_mid_frame()

    def keep(self) -> None:
        """Take `drop_mid_frame` back: nothing was sent since."""
        self._output.keep()

    def _end_sessions(self) -> None:
        for session in list(self.sessions.values()):
            session.end()
        self.sessions.clear()

    def _on_sent(self) -> None:
        self._liveness.sent_at = self._loop.time()

    # Time

    def _on_timer(self) -> None:
        now = self._loop.time()
        self._timer = self._loop.call_later(self._liveness.check_seconds, self._on_timer)
        due = self._liveness.due(
            now,
            is_open=self._handshake.is_open,
            has_links=self._has_links(),
            is_read=self.is_writable,
        )
        match due:
            case Due.DROP:
                self.drop()
            case Due.CLOSE_LINKLESS:
                self.close(AmqpError(CONNECTION_FORCED, _LINKLESS))
            case Due.CLOSE_IDLE:
                self.close(AmqpError(CONNECTION_FORCED, _IDLE))
            case Due.HEARTBEAT:
                self._output.write(frames.EMPTY_FRAME)
        self.check_rights()

    def check_rights(self) -> None:
        """Detach the links whose right was taken away, or that their queue does not keep."""
        for session in list(self.sessions.values()):
            session.check_rights()

    def _has_links(self) -> bool:
        # Those to $cbs and to the coordinator do not count. Anybody gets them, and could hold the
        # connections that there are without ever showing a token.
        every = (link for session in self.sessions.values() for link in session.links.values())
        return any(link.address.entity not in ("", CBS) for link in every)

    # Reading

    def _read(self) -> None:
        try:
            while self.is_writable and not self._output.is_closed:
                item = self._reader.next()
                if item is None:
                    break
                # Whole ones count: a frame that never ends, however steadily it comes, is silence.
                self._liveness.heard_at = self._loop.time()
                self._on_item(item)
        except DecodeError as error:
            logger.debug("malformed input: %s", error)
            self.close(AmqpError(DECODE_ERROR, str(error)))
        except AmqpError as error:
            self.close(error)
        except Exception as error:  # noqa: BLE001 - one client's input must not stop the others
            logger.warning("connection closed after %s", type(error).__name__)
            self.close(AmqpError(INTERNAL_ERROR, "The server was unable to process the request."))

    def _on_item(self, item: ProtocolHeader | Frame) -> None:
        if self._handshake.is_open:
            self._on_frame(item)
            return
        self._output.write(self._handshake.receive(item))
        phase = self._handshake.phase
        if phase is Phase.REFUSED:
            self.close()
        elif phase is Phase.OPENED:
            self._on_opened()

    def _on_opened(self) -> None:
        peer = self._handshake.peer
        self.claims.probe = peer.is_probe
        self._liveness.heartbeat = peer.idle_timeout / 2
        self._timer.cancel()
        self._timer = self._loop.call_later(self._liveness.check_seconds, self._on_timer)
        if self._is_too_many:
            raise TooManyConnectionsError(self.namespace.host)
        if peer.max_frame < MIN_MAX_FRAME:
            raise AmqpError(INVALID_FIELD, "max-frame-size is below 512.")

    def _on_frame(self, item: ProtocolHeader | Frame) -> None:
        body = body_of(item, frames.AMQP)
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
