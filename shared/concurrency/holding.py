"""Holding work until a service that is away is back, instead of failing at once.

The bus delivers again at once what a function fails on: without a pause, a whole
maxDeliveryCount is gone within seconds. Time comes from the event loop.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import TypeVar

T = TypeVar("T")
FIRST_PAUSE = 1.0  # seconds
LONGEST_PAUSE = 30.0  # seconds; how late the return of a service may be noticed
LONGEST_PAUSE_AFTER_FAILURE = 45.0


async def held(
    work: Callable[[], Awaitable[T]],
    seconds: float,
    away: type[Exception] | tuple[type[Exception], ...],
) -> T:
    """Return what `work` returns; while it raises `away`, try it again after growing pauses.

    After `seconds`, whether in a pause or during an attempt, the last such error is raised; without
    one, `TimeoutError`.
    """
    loop = asyncio.get_running_loop()
    until = loop.time() + seconds
    pause = FIRST_PAUSE
    last: Exception | None = None
    while True:  # once at least, however late it is on a busy machine
        try:
            async with asyncio.timeout_at(until) as limit:
                return await work()
        except away as error:
            last = error
        except TimeoutError:
            if not limit.expired():
                raise
            break
        await asyncio.sleep(min(pause, max(0.0, until - loop.time())))
        pause = min(2 * pause, LONGEST_PAUSE)
        if loop.time() >= until:
            break
    raise last or TimeoutError(f"not done within {seconds:.0f} s")


def pause_after_failure(deliveries: int, longest: float = LONGEST_PAUSE_AFTER_FAILURE) -> float:
    """Return the seconds to wait before the `deliveries`-th call for a message fails."""
    return min(float(2 ** min(max(deliveries, 1) - 1, 10)), longest)


@asynccontextmanager
async def pausing(
    deliveries: int, seconds: float, longest: float = LONGEST_PAUSE_AFTER_FAILURE
) -> AsyncIterator[None]:
    """Limit what is done in it to `seconds`; if it fails, pause before the error is raised.

    For unexpected failures. The message stays locked meanwhile, so that its deliveries
    are not used up in a second. `longest` is the longest pause in seconds.
    """
    try:
        async with asyncio.timeout(seconds):
            yield
    except Exception:
        await asyncio.sleep(pause_after_failure(deliveries, longest))
        raise
