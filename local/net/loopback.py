"""Listening on this machine alone."""

from __future__ import annotations

import contextlib
import random
import socket
from collections.abc import Callable, Container
from typing import Any, TypeVar
from weakref import WeakSet

LOOPBACK = "127.0.0.1"
CONNECTIONS = 500  # at one port, by default
_FREE = range(20_000, 30_000)  # below what Linux, macOS and Windows give to clients
_Socket = TypeVar("_Socket", bound=socket.socket)


class Listener(socket.socket):
    """A listening socket with a limit of connections; those above it are closed at once.

    Counted as they are accepted, before TLS or any other handshake: clients that leave these
    unfinished could otherwise use up the open files of the process, and with them every port.
    """

    def __init__(self, port: int, connections: int, *, reserved: bool) -> None:
        made = socket.create_server((LOOPBACK, port), reuse_port=reserved)
        super().__init__(fileno=made.detach())
        self._limit = connections
        self._accepted: WeakSet[socket.socket] = WeakSet()

    def accept(self) -> tuple[socket.socket, Any]:
        """Accept one; ConnectionAbortedError above the limit, as for one closed meanwhile."""
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
    """Keep a port on loopback, whether anything listens there or not, until this is closed.

    Connections are refused while nothing does. Only `listen` with `reserved`, in whatever process
    of this user, can listen there. Raises OSError where the port is taken.
    """
    kept = socket.socket()
    try:
        # Two programs that want the port cannot both listen there, even for a moment.
        with socket.create_server((LOOPBACK, port)) as claim:
            claim.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
            kept.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
            # Connections that have just ended must not block this bind; it must still block
            # another program that binds with SO_REUSEADDR.
            kept.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            kept.bind(claim.getsockname())
            kept.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 0)
    except OSError:
        kept.close()
        raise
    return kept


def anywhere(take: Callable[[int], _Socket], others: Container[int] = ()) -> _Socket:
    """Bind a free port outside the range of ephemeral ports, and none of `others`.

    The system would pick an ephemeral one. While a service is stopped, a client's own connection
    could get that port, even one that tries to reach the service.
    """
    for port in random.sample(_FREE, 200):
        if port in others:
            continue
        with contextlib.suppress(OSError):
            return take(port)
    raise OSError("no free port was found on loopback")
