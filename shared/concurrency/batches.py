"""Calls that are shared: what waits while one is under way goes together in the next."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from itertools import islice
from typing import Generic, TypeVar

Item = TypeVar("Item")
Outcome = TypeVar("Outcome")


class Batches(Generic[Item, Outcome]):
    """Makes one call at a time for any number of items, at most `max_batch` in each.

    `call` returns an outcome for each item, in their order; what it raises is raised to all whose
    items were in it. What is `abort_on` is raised to all that wait by then, too: the next call
    would only let them wait as long for the same.
    """

    def __init__(
        self,
        call: Callable[[Sequence[Item]], Awaitable[Sequence[Outcome]]],
        max_batch: int,
        abort_on: type[Exception] | tuple[type[Exception], ...] = (),
    ) -> None:
        self._call = call
        self._max_batch = max_batch
        self._abort_on = abort_on
        self._waiting: deque[tuple[Item, asyncio.Future[Outcome]]] = deque()
        self._calling: asyncio.Task[None] | None = None

    async def run(self, item: Item) -> Outcome:
        """Return this item's outcome.

        A caller that goes away takes nothing with it: its item may be done all the same.
        """
        outcome: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()
        self._waiting.append((item, outcome))
        if self._calling is None or self._calling.done():
            self._calling = asyncio.create_task(self._call_all())
        return await outcome

    async def _call_all(self) -> None:
        while self._waiting:
            batch = list(islice(self._waiting, self._max_batch))
            for _ in batch:
                self._waiting.popleft()
            try:
                outcomes = await self._call([item for item, _ in batch])
            except Exception as error:  # noqa: BLE001 - whatever it is, it belongs to who waits
                if isinstance(error, self._abort_on):
                    batch += self._waiting
                    self._waiting.clear()
                for _, waiting in batch:
                    if not waiting.done():
                        waiting.set_exception(error)
            else:
                for (_, waiting), outcome in zip(batch, outcomes, strict=True):
                    if not waiting.done():
                        waiting.set_result(outcome)
