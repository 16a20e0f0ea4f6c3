"""The bus as a server: its listeners, its connections and its clock."""

from __future__ import annotations

import asyncio
import heapq
import logging
import math
import socket
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from ssl import SSLContext

from local.bus.broker.address import Address
from local.bus.broker.availability import QueueAvailability
from local.bus.broker.entity import Counts
from local.bus.broker.entry import QueueEntry
from local.bus.broker.journal import Journal, JournalError
from local.bus.broker.namespace import Namespace
from local.bus.security.audit_sink import AuditSink
from local.bus.security.principal import AccessControl
from local.bus.server.connection import BusServices, Connection
from local.bus.server.output import GOODBYE_SECONDS
from local.bus.server.websocket import AmqpOrWebSocket, WebSockets
from local.deployment.resources import NamespaceSpec, QueueSpec
from local.net.distance import distant

TLS_HANDSHAKE_SECONDS = 20
# As many as Azure allows a namespace; the next ones are opened to be refused with the reason.
# Source: Microsoft Learn, "Azure Service Bus quotas and limits".
MAX_CONNECTIONS = 5000
MAX_TIMER_SECONDS = 3600.0

logger = logging.getLogger("local.bus")


class BusServer:
    """A Service Bus namespace for one machine, speaking AMQP 1.0.

    `clock`: seconds since 1970. `round_trip`: the seconds that clients seem to be away. With a
    `journal`, nothing acknowledged is lost or comes again when the process is killed; it is the
    caller's to close, after the server. Raises ValueError for queues that forward to nowhere,
    JournalError for a journal that does not fit.
    """

    def __init__(
        self,
        namespace: NamespaceSpec,
        access: AccessControl,
        clock: Callable[[], float] = time.time,
        journal: Journal | None = None,
        audit: AuditSink | None = None,
        availability: QueueAvailability | None = None,
        round_trip: float = 0.0,
        on_change: Callable[[], None] = lambda: None,
        entities: Sequence[QueueSpec] | None = None,
    ) -> None:
        self._clock = clock
        self._clock_offset = 0.0
        self._round_trip = round_trip
        self._namespace = Namespace(
            *(namespace, self._now, self._set_timer, journal, availability, on_change, entities)
        )
        commit = journal.commit if journal is not None else lambda: None
        self._services = BusServices(self._namespace, access, clock, commit, audit or AuditSink())
        self._connections: set[Connection] = set()
        self._web_sockets: WebSockets | None = None
        self._servers: list[asyncio.Server] = []
        self._timer: asyncio.TimerHandle | None = None
        self._timer_at = math.inf

    async def listen(self, host: str, port: int, ssl: SSLContext | None = None) -> int:
        """Accept connections, over TLS where a context is given; return the port."""
        return await self.listen_on(socket.create_server((host, port)), ssl)

    async def listen_on(
        self,
        listening: socket.socket,
        ssl: SSLContext | None = None,
        access: AccessControl | None = None,
    ) -> int:
        """Do the same on a socket that listens already; it is closed with the server.

        `access` decides there in place of the server's own.
        """
        services = self._services if access is None else replace(self._services, access=access)
        loop = asyncio.get_running_loop()
        web_sockets = self._web_sockets = self._web_sockets or WebSockets(self._connect)
        server = await loop.create_server(
            distant(
                lambda: AmqpOrWebSocket(self._connect(services), web_sockets), self._round_trip
            ),
            sock=listening,
            ssl=ssl,
            ssl_handshake_timeout=TLS_HANDSHAKE_SECONDS if ssl else None,
        )
        self._servers.append(server)
        # What a journal brought back may have been due for long: locks of receivers that are gone.
        self._namespace.advance()
        self._set_timer(self._namespace.next_event())
        bound: int = server.sockets[0].getsockname()[1]
        return bound

    def _connect(self, services: BusServices | None = None) -> Connection:
        return Connection(services or self._services, self._connections, MAX_CONNECTIONS)

    async def close(self) -> None:
        """Stop listening, and close every connection; the queues keep what they hold."""
        for server in self._servers:
            server.close()
        for connection in list(self._connections):
            connection.close()
        if self._web_sockets is not None:
            await self._web_sockets.close(GOODBYE_SECONDS)
        for server in self._servers:
            await server.wait_closed()
        self._servers.clear()
        if self._timer is not None:
            self._timer.cancel()
        self._timer, self._timer_at = None, math.inf

    def state(self) -> Mapping[str, Counts]:
        """Return how many messages each queue holds, by state."""
        return self._namespace.counts()

    @property
    def namespace(self) -> Namespace:
        """The entities, for their administration; after a change call `entities_changed`."""
        return self._namespace

    def entities_changed(self) -> None:
        """Detach links to what is deleted or disabled; move what waited; make it durable."""
        self.availability_changed()

    def peek(self, queue: str, from_number: int) -> Sequence[QueueEntry]:
        """Return what a queue holds from a sequence number on, in any state, and leave it there."""
        found = self._namespace.find(Address(queue.lower()))
        if found is None:
            raise ValueError(f"there is no queue {queue}")
        return found.peek(from_number, len(found.store), self._now())

    def newest(self, queue: str, count: int) -> Sequence[QueueEntry]:
        """Return the last `count` messages that a queue holds, newest first, and leave them."""
        found = self._namespace.find(Address(queue.lower()))
        if found is None:
            raise ValueError(f"there is no queue {queue}")
        return heapq.nlargest(count, found.store, key=lambda entry: entry.sequence_number)

    def drop_connections(self, *, mid_frame: bool = False) -> None:
        """Break every connection, as a failing network does.

        With `mid_frame`, each one in the middle of what is sent on it next: of a message to
        a receiver, of the acknowledgement that a sender waits for.
        """
        for connection in list(self._connections):
            if mid_frame:
                connection.drop_mid_frame()
            else:
                connection.drop()

    def keep_connections(self) -> None:
        """Take back what `drop_connections` has in store where nothing was sent since."""
        for connection in self._connections:
            connection.keep()

    def availability_changed(self) -> None:
        """Detach links that a queue no longer keeps; move what waited for a queue."""
        if not self._servers:
            return  # the bus is stopped; it does so when it starts
        for connection in list(self._connections):
            connection.check_rights()
        self._on_timer()

    def advance(self) -> None:
        """Do what is due by the clock; needed only where the clock is not the real one."""
        self._namespace.advance()

    def advance_clock(self, seconds: float) -> None:
        """Let the queues run ahead of the clock from now on: what is due by then happens now.

        Tokens keep the real time: their issuer's clock was not advanced.
        """
        self._clock_offset = seconds
        self._timer_at = math.inf
        self._on_timer()

    def _now(self) -> float:
        return self._clock() + self._clock_offset

    def _set_timer(self, at: float) -> None:
        if at >= self._timer_at:
            return
        if self._timer is not None:
            self._timer.cancel()
        self._timer_at = at
        delay = min(max(0.0, at - self._now()), MAX_TIMER_SECONDS)
        self._timer = asyncio.get_running_loop().call_later(delay, self._on_timer)

    def _on_timer(self) -> None:
        self._timer, self._timer_at = None, math.inf
        self._namespace.advance()
        try:
            self._services.commit()
        except JournalError as error:
            # None of it was acknowledged yet; it is tried again before anything is.
            logger.warning("%s", error)
        self._set_timer(self._namespace.next_event())
