"""Listening on this machine alone."""

from __future__ import annotations

import contextlib
import random
import socket
from collections.abc import Callable
from typing import Any, TypeVar
from weakref import WeakSet

LOOPBACK = "127.0.0.1"
CONNECTIONS = 500  # at one port, unless it is said otherwise
_FREE = range(20_000, 30_000)  # below what Linux, macOS and Windows give to clients
_Socket = TypeVar("_Socket", bound=socket.socket)


class Listener(socket.socket):
    """A listening socket with so many connections at most; those above are closed at once.

    Counted as they are accepted, before TLS or any greeting: otherwise whoever leaves these
    unfinished would take all files that the process may open, and with them every other port.
    """

    def __init__(self, port: int, connections: int, *, reserved: bool) -> None:
        made = socket.create_server((LOOPBACK, port), reuse_port=reserved)
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


def listen(port: int, connections: int = CONNECTIONS, *, reserved: bool = False) -> Listener:
    """Listen on loopback; 0 is any port. Raises OSError where it is taken.

    `reserved` is for a port that `reserve` keeps.
    """
    return Listener(port, connections, reserved=reserved)


def listen_anywhere(connections: int = CONNECTIONS) -> Listener:
    """Listen on loopback at a free port."""
    return anywhere(lambda port: listen(port, connections))


def reserve(port: int) -> socket.socket:
    """Keep a port on loopback, whether somebody listens there or not, until this is closed.

    Connections are refused while nobody does. Only `listen` with `reserved`, in whatever process
    of this user, can listen there. Raises OSError where the port is taken.
    """
    kept = socket.socket()
    try:
        # Listening for a moment is what two who want the port cannot both do.
        with socket.create_server((LOOPBACK, port)) as claim:
            claim.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
            kept.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
            # Connections that have just ended must not stand in the way of this one; another
            # program that binds as leniently must find it in the way all the same.
            kept.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            kept.bind(claim.getsockname())
            kept.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 0)
    except OSError:
        kept.close()
        raise
    return kept


def anywhere(take: Callable[[int], _Socket]) -> _Socket:
    """Take a free port that no client gets.

    Not one that the system picks: it picks from those that it gives to clients too. While a
    service is away, a client's own connection could take its port, even one that tries to reach it.
    """
    for port in random.sample(_FREE, 200):
        with contextlib.suppress(OSError):
            return take(port)
    raise OSError("no free port was found on loopback")
