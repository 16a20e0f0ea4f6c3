"""A SQLite file as if it were a database server at some distance.

There is no connection that could be delayed, so each statement and each end of a transaction is:
with a server, each is a round trip. What an app does is the same.
"""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Awaitable, Callable
from typing import Any

import aiosqlite

_ROUND_TRIPS = (
    (aiosqlite.Cursor, ("execute", "executemany")),
    (aiosqlite.Connection, ("commit", "rollback")),
)


def move_away(round_trip: float) -> None:
    """Let each round trip to a SQLite database of this process take `round_trip` seconds more."""
    for kind, names in _ROUND_TRIPS:
        for name in names:
            setattr(kind, name, _delayed(getattr(kind, name), round_trip))


def _delayed(
    work: Callable[..., Awaitable[Any]], round_trip: float
) -> Callable[..., Awaitable[Any]]:
    @functools.wraps(work)
    async def delayed(*given: Any, **named: Any) -> Any:
        await asyncio.sleep(round_trip)
        return await work(*given, **named)

    return delayed
