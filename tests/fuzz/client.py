"""A client without a socket: its bytes go to the protocol of a server, whose answer is kept."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Sequence
from typing import Any

PATIENCE = 60.0  # seconds, after which a request counts as hanging
_TURNS = 30  # of the loop, that what needs no thread and no time takes
MakeProtocol = Callable[[], asyncio.Protocol]

_STATUS = re.compile(rb"HTTP/1\.[01] ([2-5]\d\d) ")


class ClientTransport(asyncio.Transport):
    """What a server takes for a socket."""

    def __init__(self, *, is_tls: bool) -> None:
        super().__init__()
        self.written = bytearray()
        self.is_open = True
        self.is_paused = False
        self.changed = asyncio.Event()
        self._info = {"peername": ("127.0.0.1", 1), "sslcontext": object() if is_tls else None}
        self._protocol: asyncio.BaseProtocol | None = None

    def connect(self, protocol: asyncio.BaseProtocol) -> None:
        self._protocol = protocol
        protocol.connection_made(self)

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.written += data
        self.changed.set()

    def is_closing(self) -> bool:
        return not self.is_open

    def close(self) -> None:
        """End the connection, from either side."""
        if self.is_open:
            self.is_open = False
            self.changed.set()
            asyncio.get_running_loop().call_soon(self._lost)

    def abort(self) -> None:
        self.close()

    def _lost(self) -> None:
        assert self._protocol is not None
        self._protocol.connection_lost(None)

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return self._info.get(name, default)

    def get_write_buffer_size(self) -> int:
        return 0

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        pass

    def is_reading(self) -> bool:
        return not self.is_paused

    def pause_reading(self) -> None:
        self.is_paused = True

    def resume_reading(self) -> None:
        self.is_paused = False
        self.changed.set()

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        self._protocol = protocol

    def get_protocol(self) -> asyncio.BaseProtocol:
        assert self._protocol is not None
        return self._protocol


async def converse(
    make: MakeProtocol, parts: Sequence[bytes], *, is_tls: bool, is_whole: bool
) -> bytes:
    """Send parts on a new connection and end it; return what was answered.

    Of a request that is whole, the answer is waited for first. Raises TimeoutError where none
    comes, and where something goes on after the end of the connection.
    """
    before = asyncio.all_tasks()
    protocol, transport = make(), ClientTransport(is_tls=is_tls)
    transport.connect(protocol)
    async with asyncio.timeout(PATIENCE):
        for part in parts:
            if not await _can_send(transport):
                break
            protocol.data_received(part)
            await asyncio.sleep(0)
        if is_whole:
            await _answered(transport)
        else:
            for _ in range(_TURNS):
                await asyncio.sleep(0)
        transport.close()
        await asyncio.sleep(0)
        if left := asyncio.all_tasks() - before:
            await asyncio.wait(left)
    return bytes(transport.written)


def statuses(answer: bytes | bytearray) -> list[int]:
    """Return the statuses of the responses, without interim ones."""
    return [int(found) for found in _STATUS.findall(answer)]


async def _can_send(transport: ClientTransport) -> bool:
    for _ in range(_TURNS):
        if not transport.is_open:
            return False
        if not transport.is_paused:
            return True
        await asyncio.sleep(0)
    return False  # it reads no more, as it may: the connection is ended then


async def _answered(transport: ClientTransport) -> None:
    while transport.is_open and not statuses(transport.written):
        transport.changed.clear()
        await transport.changed.wait()
