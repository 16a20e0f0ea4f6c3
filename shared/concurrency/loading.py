"""A value that is made in a thread of its own, before anybody asks for it."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import Generic, TypeVar

T = TypeVar("T")


class Loading(Generic[T]):
    """Makes one value, from now on; whoever needs it waits until it is there.

    For what takes long to import. `make` runs once, in a thread that does not keep the process.
    """

    def __init__(self, make: Callable[[], T]) -> None:
        self._made: Future[T] = Future()
        self._value: T | None = None  # once it is there: a future's lock costs each message
        # Running: so that nobody who waits, and is cancelled, cancels it for the others.
        self._made.set_running_or_notify_cancel()
        threading.Thread(target=self._run, args=(make,), name="loading", daemon=True).start()

    async def value(self) -> T:
        """Return the value, or raise what its making raised."""
        if self._value is None:
            self._value = await asyncio.wrap_future(self._made)
        return self._value

    def _run(self, make: Callable[[], T]) -> None:
        try:
            made = make()
        except BaseException as error:  # noqa: BLE001 - whatever it is, who needs the value gets it
            self._made.set_exception(error)
        else:
            self._made.set_result(made)
