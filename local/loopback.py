"""Listening on this machine alone."""

from __future__ import annotations

import contextlib
import random
import socket
from typing import Any
from weakref import WeakSet

LOOPBACK = "127.0.0.1"
CONNECTIONS = 500  # at one port, unless it is said otherwise
_FREE = range(20_000, 30_000)  # below what Linux, macOS and Windows give to clients


class Listener(socket.socket):
    """A listening socket with so many connections at most; those above are closed at once.

    Counted as they are accepted, before TLS or any greeting: otherwise whoever leaves these
    unfinished would take all files that the process may open, and with them every other port.
    """

    def __init__(self, port: int, connections: int = CONNECTIONS) -> None:
        made = socket.create_server((LOOPBACK, port))
        super().__init__(fileno=made.detach())
        self._limit = connections
        self._accepted: WeakSet[socket.socket] = WeakSet()

    def accept(self) -> tuple[socket.socket, Any]:
        """Accept one; ConnectionAbortedError, as for one that is gone already, above the limit."""
        connection, address = super().accept()
        if sum(one.fileno() >= 0 for one in self._accepted) >= self._limit:
            connection.close()
            raise ConnectionAbortedError("too many connections")
        self._accepted.add(connection)
        return connection, address


def listen(port: int, connections: int = CONNECTIONS) -> Listener:
    """Listen on loopback; 0 is any port. Raises OSError where it is taken."""
    return Listener(port, connections)


def listen_anywhere(connections: int = CONNECTIONS) -> Listener:
    """Listen on loopback at a free port that stays free while nobody listens there.

    Not at one that the system picks: it picks from those that it gives to clients too. While a
    service is away, a client's own connection could take its port, even one that tries to reach it.
    """
    for port in random.sample(_FREE, 200):
        with contextlib.suppress(OSError):
            return Listener(port, connections)
    raise OSError("no free port was found on loopback")
