"""The host's side of a worker process: its functions, calls to them, and its end."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from local.host.errors import AppRefusedError
from local.host.worker.messages import (
    Decoder,
    Indexed,
    IndexingFailed,
    Invocation,
    Outcome,
    Stop,
    encode,
)
from local.host.worker.outbox import Outbox

_ROOT = Path(__file__).resolve().parents[2]  # where `local` can be imported from
_ENDING = 2.0  # seconds that a worker has to end by itself
_DRAIN = 1.0  # seconds to read what it sent before it ended
_STANDARD_ERROR = 2
_log = logging.getLogger("Host.Worker")


class WorkerLostError(Exception):
    """The worker ended during a call: whether the function did its work is not known."""


class Channel(asyncio.Protocol):
    """One worker process and the socket to it.

    `ended` is set when it has ended and every call to it has failed.
    """

    def __init__(self, process: asyncio.subprocess.Process, lost: Callable[[], None]) -> None:
        self._process = process
        self._on_lost = lost
        self.ended = asyncio.Event()
        self._indexing: asyncio.Future[Indexed | IndexingFailed] = asyncio.Future()
        self._lost = asyncio.Event()
        self._pending: dict[str, asyncio.Future[Outcome]] = {}
        self._decoder = Decoder()
        self._replaced = False

    @classmethod
    async def open(cls, arguments: Sequence[str], lost: Callable[[], None]) -> Channel:
        """Start a worker; `index` comes next. `lost` is called when it accepts no more calls."""
        ours, theirs = socket.socketpair()
        with theirs:
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "local.host.worker", *arguments),
                *("--socket", str(theirs.fileno())),
                cwd=_ROOT,
                pass_fds=[theirs.fileno()],
                stdin=asyncio.subprocess.DEVNULL,
                stdout=_STANDARD_ERROR,  # what functions print goes to the app's log
            )
        loop = asyncio.get_running_loop()
        _, channel = await loop.create_connection(lambda: cls(process, lost), sock=ours)
        return channel

    @property
    def pid(self) -> int:
        """The process's id."""
        return self._process.pid

    async def index(self) -> Indexed:
        """Wait for the app's functions. Raises AppRefusedError if it has none."""
        ended = asyncio.create_task(self.ended.wait())
        either: set[asyncio.Future[Any]] = {ended, self._indexing}
        await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
        ended.cancel()
        if not self._indexing.done():
            code = self._process.returncode
            raise AppRefusedError(f"the worker ended with code {code} before it had read the app")
        answer = self._indexing.result()
        if isinstance(answer, IndexingFailed):
            raise AppRefusedError(answer.reason)
        return answer

    async def invoke(self, invocation: Invocation) -> Outcome:
        """Call a function and wait for its outcome. Raises WorkerLostError."""
        if self._lost.is_set():
            raise WorkerLostError("the worker has ended")
        answer: asyncio.Future[Outcome] = asyncio.Future()
        self._pending[invocation.id] = answer
        self._outbox.send(encode(invocation))
        try:
            return await answer
        finally:
            del self._pending[invocation.id]

    def replace(self) -> None:
        """End it at once, because a function ran for too long.

        Its calls are left to their own timeouts, as on the real host, which disposes of a channel
        and forgets them (`RpcFunctionInvocationDispatcher`).
        """
        self._replaced = True
        self._kill()

    async def stop(self) -> None:
        """End it after its last call, by force if it takes too long."""
        self._outbox.send(encode(Stop()))
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self.ended.wait(), _ENDING)
        self._kill()
        await self.ended.wait()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport to the worker."""
        assert isinstance(transport, asyncio.Transport)  # noqa: S101 - for mypy
        self._transport = transport
        self._outbox = Outbox(transport)
        self._watching = asyncio.create_task(self._watch())

    def data_received(self, data: bytes) -> None:
        """Pass on the worker's messages."""
        for message in self._decoder.feed(data):
            if isinstance(message, Outcome):
                answer = self._pending.get(message.id)
                if answer and not answer.done():
                    answer.set_result(message)
            elif isinstance(message, Indexed | IndexingFailed) and not self._indexing.done():
                self._indexing.set_result(message)

    def connection_lost(self, error: Exception | None) -> None:
        """Record that no more messages can come."""
        del error
        self._lost.set()
        self._on_lost()

    def _kill(self) -> None:
        with contextlib.suppress(ProcessLookupError):
            self._process.kill()

    async def _watch(self) -> None:
        ends: set[asyncio.Future[Any]] = {
            asyncio.create_task(self._process.wait()),
            asyncio.create_task(self._lost.wait()),
        }
        await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
        # What it sent before it ended still counts. A process that it started may keep the socket.
        await asyncio.wait(ends, timeout=_DRAIN)
        self._kill()
        code = await self._process.wait()
        self._lost.set()
        self._transport.abort()
        if not self._replaced:
            for answer in self._pending.values():
                if not answer.done():
                    answer.set_exception(WorkerLostError(f"the worker ended with code {code}"))
        self.ended.set()
