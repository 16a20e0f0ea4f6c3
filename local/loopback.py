"""Listening on this machine alone."""

from __future__ import annotations

import contextlib
import random
import socket

LOOPBACK = "127.0.0.1"
_FREE = range(20_000, 30_000)  # below what Linux, macOS and Windows give to clients


def listen_anywhere() -> socket.socket:
    """Listen on loopback at a free port that stays free while nobody listens there.

    Not at one that the system picks: it picks from those that it gives to clients too. While a
    service is away, a client's own connection could take its port, even one that tries to reach it.
    """
    for port in random.sample(_FREE, 200):
        with contextlib.suppress(OSError):
            return socket.create_server((LOOPBACK, port))
    raise OSError("no free port was found on loopback")
