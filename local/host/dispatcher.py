"""Calls go to one worker, which is replaced soon after it has ended."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Sequence

from local.host.channel import Channel
from local.host.errors import AppRefusedError
from local.host.worker.messages import Invocation, Outcome

_PAUSE = (0.3, 5.0)  # seconds; first and longest pause before another worker
_log = logging.getLogger("Host.Worker")


class Dispatcher:
    """Keeps one worker, as the real host does unless FUNCTIONS_WORKER_PROCESS_COUNT says more."""

    def __init__(self, arguments: Sequence[str]) -> None:
        self._arguments = arguments
        self._ready = asyncio.Event()
        self._channel: Channel

    async def start(self) -> Sequence[tuple[str, Sequence[str]]]:
        """Start a worker; return each function's name and bindings. Raises AppRefusedError."""
        self._channel = await Channel.open(self._arguments, self._ready.clear)
        try:
            indexed = await self._channel.index()
        except AppRefusedError:
            await self._channel.stop()
            raise
        _log.info("worker %d has read the app", self._channel.pid)
        self._ready.set()
        self._keeping = asyncio.create_task(self._keep())
        return indexed.functions

    async def invoke(self, invocation: Invocation, seconds: float | None) -> Outcome:
        """Call a function, as soon as there is a worker.

        Raises WorkerLostError, and TimeoutError after so many seconds: then the worker that has
        the call is ended with all its calls, because Python code cannot be stopped otherwise.
        """
        channel = None
        try:
            async with asyncio.timeout(seconds):
                await self._ready.wait()
                channel = self._channel
                return await channel.invoke(invocation)
        except TimeoutError:
            if channel is self._channel:
                self._ready.clear()
                channel.replace()
            raise

    async def stop(self) -> None:
        """End the worker; nothing can be called afterwards."""
        self._keeping.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._keeping
        await self._channel.stop()

    async def _keep(self) -> None:
        pause = _PAUSE[0]
        while True:
            await self._channel.ended.wait()
            self._ready.clear()
            _log.error("worker %d has ended; another one is started", self._channel.pid)
            await asyncio.sleep(pause)
            self._channel = await Channel.open(self._arguments, self._ready.clear)
            try:
                await self._channel.index()
            except AppRefusedError as refusal:
                pause = min(2 * pause, _PAUSE[1])
                _log.error("no worker: %s", refusal)
                await self._channel.stop()
            else:
                pause = _PAUSE[0]
                self._ready.set()
                _log.info("worker %d has read the app", self._channel.pid)
