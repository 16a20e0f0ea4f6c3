"""The bus as a server: its listeners, its connections and its clock."""

from __future__ import annotations

import asyncio
import logging
import math
import socket
import time
from collections.abc import Callable, Mapping, Sequence
from ssl import SSLContext

from local.bus.broker.address import Address
from local.bus.broker.journal import Journal, JournalError
from local.bus.broker.namespace import Namespace
from local.bus.broker.queue import Counts
from local.bus.broker.store import QueueEntry
from local.bus.security.audit_sink import AuditSink
from local.bus.security.principal import AccessControl
from local.bus.server.connection import Broker, Connection
from local.deployment.resources import NamespaceSpec

TLS_HANDSHAKE_SECONDS = 20
MAX_CONNECTIONS = 1000
LONGEST_WAIT_SECONDS = 3600.0

logger = logging.getLogger("local.bus")


class BusServer:
    """A Service Bus namespace for one machine, speaking AMQP 1.0.

    `clock` tells seconds since 1970. With a `journal`, nothing acknowledged is lost or comes again
    when the process is killed; it is the caller's to close, after the server. Raises ValueError
    for queues that forward to nowhere, JournalError for a journal that does not fit.
    """

    def __init__(
        self,
        namespace: NamespaceSpec,
        access: AccessControl,
        clock: Callable[[], float] = time.time,
        journal: Journal | None = None,
        audit: AuditSink | None = None,
    ) -> None:
        self._clock = clock
        self._ahead = 0.0
        self._namespace = Namespace(namespace, self._now, self._set_alarm, journal)
        commit = journal.commit if journal is not None else lambda: None
        self._broker = Broker(self._namespace, access, clock, commit, audit or AuditSink())
        self._connections: set[Connection] = set()
        self._servers: list[asyncio.Server] = []
        self._alarm: asyncio.TimerHandle | None = None
        self._alarm_at = math.inf

    async def listen(self, host: str, port: int, ssl: SSLContext | None = None) -> int:
        """Accept connections, over TLS where a context is given; return the port."""
        return await self.listen_on(socket.create_server((host, port)), ssl)

    async def listen_on(self, listening: socket.socket, ssl: SSLContext | None = None) -> int:
        """Do the same on a socket that listens already; it is closed with the server."""
        loop = asyncio.get_running_loop()
        server = await loop.create_server(
            lambda: Connection(self._broker, self._connections, MAX_CONNECTIONS),
            sock=listening,
            ssl=ssl,
            ssl_handshake_timeout=TLS_HANDSHAKE_SECONDS if ssl else None,
        )
        self._servers.append(server)
        # What a journal brought back may be due since long: locks of receivers that are gone.
        self._namespace.advance()
        self._set_alarm(self._namespace.next_event())
        bound: int = server.sockets[0].getsockname()[1]
        return bound

    async def close(self) -> None:
        """Stop listening, and say goodbye to every client; the queues keep what they hold."""
        for server in self._servers:
            server.close()
        for connection in list(self._connections):
            connection.close()
        for server in self._servers:
            await server.wait_closed()
        self._servers.clear()
        if self._alarm is not None:
            self._alarm.cancel()
        self._alarm, self._alarm_at = None, math.inf

    def state(self) -> Mapping[str, Counts]:
        """Return how many messages each queue holds, by state."""
        return self._namespace.counts()

    def peek(self, queue: str, from_number: int) -> Sequence[QueueEntry]:
        """Give what a queue holds from a sequence number on, in any state, and leave it there."""
        found = self._namespace.find(Address(queue.lower()))
        if found is None:
            raise ValueError(f"there is no queue {queue}")
        return found.peek(from_number, len(found.store), self._now())

    def drop_connections(self, *, mid_frame: bool = False) -> None:
        """Break every connection, as a failing network does.

        With `mid_frame`, each one in the middle of what is sent on it next: of a message on its
        way to a receiver, of the acknowledgement that a sender waits for.
        """
        for connection in list(self._connections):
            if mid_frame:
                connection.drop_mid_frame()
            else:
                connection.drop()

    def advance(self) -> None:
        """Let happen what is due by the clock: needed only where the clock is not the real one."""
        self._namespace.advance()

    def advance_clock(self, seconds: float) -> None:
        """Let the queues live ahead of the clock from now on: what is due by then happens now.

        Tokens keep the real time: whoever shows one has it from a clock that was not turned.
        """
        self._ahead = seconds
        self._alarm_at = math.inf
        self._on_alarm()

    def _now(self) -> float:
        return self._clock() + self._ahead

    def _set_alarm(self, at: float) -> None:
        if at >= self._alarm_at:
            return
        if self._alarm is not None:
            self._alarm.cancel()
        self._alarm_at = at
        delay = min(max(0.0, at - self._now()), LONGEST_WAIT_SECONDS)
        self._alarm = asyncio.get_running_loop().call_later(delay, self._on_alarm)

    def _on_alarm(self) -> None:
        self._alarm, self._alarm_at = None, math.inf
        self._namespace.advance()
        try:
            self._broker.commit()
        except JournalError as error:
            # Nobody was told any of it yet; before anybody is, it is tried again.
            logger.warning("%s", error)
        self._set_alarm(self._namespace.next_event())
