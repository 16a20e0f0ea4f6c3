"""Waiting for what other processes do."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

_SHORTEST, _LONGEST, _FACTOR = 0.05, 0.4, 1.25  # seconds

_Found = TypeVar("_Found")


async def until(
    look: Callable[[], Awaitable[_Found | None]],
    failure: Callable[[], str],
    seconds: float = 60,
) -> _Found:
    """Look until something is found, and return it; AssertionError if that takes too long.

    The pauses between two looks grow: each look costs several processes some milliseconds, which
    the one that is waited for does not have then.
    """
    patience = time.monotonic() + seconds
    pause = _SHORTEST
    while not (found := await look()):
        assert time.monotonic() < patience, failure()
        await asyncio.sleep(pause)
        pause = min(pause * _FACTOR, _LONGEST)
    return found
