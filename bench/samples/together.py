"""What waits while one call is under way goes together in the next; of the samples that batch."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any


class Together:
    """Makes one call at a time, with all items that wait for it."""

    def __init__(self, call: Callable[[list[Any]], Awaitable[None]]) -> None:
        self.call = call
        self.waiting: list[tuple[Any, asyncio.Future[None]]] = []
        self.calling: asyncio.Task[None] | None = None

    async def run(self, item: Any) -> None:
        """Return when a call with the item has returned; raise what it raised."""
        done = asyncio.get_running_loop().create_future()
        self.waiting.append((item, done))
        if self.calling is None:
            self.calling = asyncio.create_task(self.call_all())
        await done

    async def call_all(self) -> None:
        """Call until nothing waits."""
        while self.waiting:
            taken, self.waiting = self.waiting, []
            (outcome,) = await asyncio.gather(
                self.call([item for item, _ in taken]), return_exceptions=True
            )
            for _, done in taken:
                if outcome is None:
                    done.set_result(None)
                else:
                    done.set_exception(outcome)
        self.calling = None
