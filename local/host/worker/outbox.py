"""What host and worker send one another: all of one turn of the loop in one piece."""

from __future__ import annotations

import asyncio


class Outbox:
    """Collects data for a transport, in its order: each piece would wake the other process."""

    def __init__(self, transport: asyncio.Transport) -> None:
        self._transport = transport
        self._waiting: list[bytes] = []

    def send(self, data: bytes) -> None:
        """Send data with all else of this turn of the loop."""
        if not self._waiting:
            asyncio.get_running_loop().call_soon(self._flush)
        self._waiting.append(data)

    def _flush(self) -> None:
        self._transport.write(b"".join(self._waiting))
        self._waiting.clear()
