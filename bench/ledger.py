"""The ledger: a million rows beside a thousand, many requests at once beside one by one."""

from __future__ import annotations

import asyncio
import statistics
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path

from bench.figures import Figure
from shared.ledger.entry import NewMessage
from shared.ledger.ledger import Ledger
from tests import databases
from tests.databases import Secret
from tests.millions import fill
from tests.postgres import Postgres

_FEW = 1000
_REQUESTS = 200
_TIMES = 200  # of each reading, of which the median counts
_NOW = datetime(2026, 3, 1, tzinfo=UTC)


async def measured(folder: Path, server: Postgres | None, many: int) -> dict[str, Figure]:
    """Return the rows of SQLite in a folder, or of a server of PostgreSQL."""
    name = "PostgreSQL" if server else "SQLite"
    urls = [await _database(folder, server) for _ in range(2)]
    small, large = (Ledger(Secret(url)) for url in urls)
    for url, count in zip(urls, (_FEW, many), strict=True):
        await fill(url, count)
    status = await _ratio(lambda: large.entry("m0000500"), lambda: small.entry("m0000500"))
    page = await _ratio(
        lambda: large.entries(None, None, 100), lambda: small.entries(None, None, 100)
    )
    alone, together = await _one_by_one(small), await _at_once(small)
    for ledger in (small, large):
        await ledger.close()
    return {
        f"ledger status {name}": Figure(status),
        f"ledger page {name}": Figure(page),
        f"ledger at once {name}": Figure(together / alone),
    }


async def _database(folder: Path, server: Postgres | None) -> str:
    return await (databases.postgresql(server) if server else databases.sqlite(folder))


async def _ratio(
    measured: Callable[[], Awaitable[object]], beside: Callable[[], Awaitable[object]]
) -> float:
    times: tuple[list[float], list[float]] = [], []
    # In turns, so that whatever else the machine does meets both.
    for _ in range(_TIMES):
        for call, taken in zip((measured, beside), times, strict=True):
            begun = time.perf_counter()
            await call()
            taken.append(time.perf_counter() - begun)
    return statistics.median(times[0]) / statistics.median(times[1])


async def _send(ledger: Ledger, id_: str) -> None:
    await ledger.accept(NewMessage(id_, "text/plain", 100, _NOW))
    await ledger.queued(id_, "v1", _NOW)


async def _one_by_one(ledger: Ledger) -> float:
    begun = time.perf_counter()
    for number in range(_REQUESTS):
        await _send(ledger, f"alone{number}")
    return time.perf_counter() - begun


async def _at_once(ledger: Ledger) -> float:
    begun = time.perf_counter()
    await asyncio.gather(*(_send(ledger, f"together{number}") for number in range(_REQUESTS)))
    return time.perf_counter() - begun
