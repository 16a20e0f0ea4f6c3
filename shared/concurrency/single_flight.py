"""One call for any number of concurrent users of one thing."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Hashable
from typing import Generic, TypeVar

from shared.errors import CallCancelledError

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class SingleFlight(Generic[K, V]):
    """Runs a call at most once at a time per key; callers that come meanwhile share its outcome."""

    def __init__(self) -> None:
        self._flights: dict[K, asyncio.Task[V]] = {}

    async def run(self, key: K, call: Callable[[], Awaitable[V]]) -> V:
        """Return what `call` returns, or raise what it raises, to every caller that waits."""
        task = self._flights.get(key)
        if task is None:
            task = asyncio.ensure_future(_awaited(call))
            self._flights[key] = task
            task.add_done_callback(lambda done: self._forget(key, done))
        # Shielded: a caller that is cancelled must not cancel the others' answer.
        return await asyncio.shield(task)

    def _forget(self, key: K, task: asyncio.Task[V]) -> None:
        del self._flights[key]
        if not task.cancelled():
            task.exception()  # retrieved, even when every caller was cancelled


async def _awaited(call: Callable[[], Awaitable[V]]) -> V:
    try:
        return await call()
    except asyncio.CancelledError:
        # Raised as it is, it would look to each caller as if somebody had cancelled the caller.
        raise CallCancelledError("the call was cancelled") from None
