"""Calls that are shared: what waits while one is under way goes together in the next."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from shared.errors import CallCancelledError

Item = TypeVar("Item")
Outcome = TypeVar("Outcome")
_Waiting = deque[tuple[Item, asyncio.Future[Outcome]]]


@dataclass
class Batch(Generic[Item, Outcome]):
    """What goes together in one call: as much of what waits as the call takes."""

    _waiting: _Waiting[Item, Outcome]
    _taken: list[tuple[Item, asyncio.Future[Outcome]]] = field(default_factory=list)

    def __len__(self) -> int:
        """Count the items that wait, without those taken."""
        return sum(not outcome.done() for _, outcome in self._waiting)

    def take(self, fits: Callable[[Item], bool]) -> Sequence[Item]:
        """Take items in their order, up to the first that does not fit; return all taken so far.

        An item whose caller was cancelled is left out.
        """
        while self._waiting:
            item, outcome = self._waiting[0]
            if not outcome.done():
                if not fits(item):
                    break
                self._taken.append((item, outcome))
            self._waiting.popleft()
        return [item for item, _ in self._taken]

    def take_at_most(self, count: int) -> Sequence[Item]:
        """Take up to `count` items; return all taken so far."""
        return self.take(lambda _: len(self._taken) < count)


class Batches(Generic[Item, Outcome]):
    """Makes one call at a time for any number of items.

    `call` takes items from a batch and returns an outcome for each, in their order. What it raises
    is raised to all whose items it took; to all that wait, if it took none, or if the error is one
    of `abort_on`: the next call would only let them wait as long for the same. Where it is
    cancelled, all get `CallCancelledError`: however a call ends, nobody is left waiting.
    """

    def __init__(
        self,
        call: Callable[[Batch[Item, Outcome]], Awaitable[Sequence[Outcome]]],
        abort_on: type[Exception] | tuple[type[Exception], ...] = (),
    ) -> None:
        self._call = call
        self._abort_on = abort_on
        self._waiting: _Waiting[Item, Outcome] = deque()
        self._calling: asyncio.Task[None] | None = None

    async def run(self, item: Item) -> Outcome:
        """Return this item's outcome.

        A cancelled caller changes nothing for the others; its item may be done all the same.
        """
        outcome: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()
        self._waiting.append((item, outcome))
        if self._calling is None or self._calling.done():
            self._calling = asyncio.create_task(self._call_all())
            self._calling.add_done_callback(self._ended)
        return await outcome

    async def close(self) -> None:
        """Cancel the call that is under way; whoever waits gets `CallCancelledError`."""
        calling = self._calling
        if calling and not calling.done():
            calling.cancel()
            await asyncio.wait([calling])

    async def _call_all(self) -> None:
        while self._is_anyone_waiting():
            taken: list[tuple[Item, asyncio.Future[Outcome]]] = []
            try:
                outcomes = await self._call(Batch(self._waiting, taken))
                self._check(len(outcomes), len(taken))
            except Exception as error:  # noqa: BLE001 - whatever it is, the callers get it
                if not taken or isinstance(error, self._abort_on):
                    taken += self._waiting
                    self._waiting.clear()
                _fail(taken, error)
            except BaseException:
                # Above all `CancelledError`, by whoever ends this task or by what is called.
                _fail(taken, CallCancelledError("the call was cancelled"))
                raise
            else:
                for (_, waiting), outcome in zip(taken, outcomes, strict=True):
                    if not waiting.done():
                        waiting.set_result(outcome)

    def _ended(self, calling: asyncio.Task[None]) -> None:
        if calling is self._calling:
            # There are some only if it was cancelled, even before it began: no other call serves
            # them.
            waiting = list(self._waiting)
            self._waiting.clear()
            _fail(waiting, CallCancelledError("the call was cancelled"))
        if not calling.cancelled():
            calling.exception()  # retrieved: whoever waited has got it

    def _is_anyone_waiting(self) -> bool:
        while self._waiting and self._waiting[0][1].done():
            self._waiting.popleft()
        return bool(self._waiting)

    def _check(self, outcomes: int, taken: int) -> None:
        # Otherwise a faulty `call` would be made for ever, or leave a caller without an outcome.
        if outcomes != taken or (not taken and self._is_anyone_waiting()):
            raise RuntimeError(f"{outcomes} outcomes of {taken} items taken")


def _fail(waiting: Sequence[tuple[Item, asyncio.Future[Outcome]]], error: Exception) -> None:
    for _, outcome in waiting:
        if not outcome.done():
            outcome.set_exception(error)
