"""The bus as a server: its listeners, its connections and its clock."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Callable, Mapping
from ssl import SSLContext

from local.bus.connection import Broker, Connection
from local.bus.namespace import Namespace
from local.bus.principal import Access
from local.bus.queue import Counts
from local.resources import NamespaceSpec

TLS_HANDSHAKE_SECONDS = 20
MAX_CONNECTIONS = 1000
LONGEST_WAIT_SECONDS = 3600.0


class BusServer:
    """A Service Bus namespace for one machine, speaking AMQP 1.0.

    `clock` tells seconds since 1970. Raises ValueError for queues that forward to nowhere.
    """

    def __init__(
        self, namespace: NamespaceSpec, access: Access, clock: Callable[[], float] = time.time
    ) -> None:
        self._namespace = Namespace(namespace, clock, self._set_alarm)
        self._broker = Broker(self._namespace, access, clock)
        self._clock = clock
        self._connections: set[Connection] = set()
        self._servers: list[asyncio.Server] = []
        self._alarm: asyncio.TimerHandle | None = None
        self._alarm_at = math.inf

    async def listen(self, host: str, port: int, ssl: SSLContext | None = None) -> int:
        """Accept connections, over TLS where a context is given; return the port."""
        loop = asyncio.get_running_loop()
        server = await loop.create_server(
            lambda: Connection(self._broker, self._connections, MAX_CONNECTIONS),
            host,
            port,
            ssl=ssl,
            ssl_handshake_timeout=TLS_HANDSHAKE_SECONDS if ssl else None,
        )
        self._servers.append(server)
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
        """Tell how many messages each queue holds, by state."""
        return self._namespace.counts()

    def drop_connections(self) -> None:
        """Break every connection, as a failing network does."""
        for connection in list(self._connections):
            connection.drop()

    def advance(self) -> None:
        """Let happen what is due by the clock: needed only where the clock is not the real one."""
        self._namespace.advance()

    def _set_alarm(self, at: float) -> None:
        if at >= self._alarm_at:
            return
        if self._alarm is not None:
            self._alarm.cancel()
        self._alarm_at = at
        delay = min(max(0.0, at - self._clock()), LONGEST_WAIT_SECONDS)
        self._alarm = asyncio.get_running_loop().call_later(delay, self._on_alarm)

    def _on_alarm(self) -> None:
        self._alarm, self._alarm_at = None, math.inf
        self._namespace.advance()
        self._set_alarm(self._namespace.next_event())
