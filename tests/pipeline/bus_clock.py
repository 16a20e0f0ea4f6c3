"""Time for an app that only waits: what it sleeps passes on the bus's clock, and at once.

Replaces `asyncio` in the one module of the tracker that waits. Nothing else of the app, of its
worker or of its host is changed: tries at the database and answers of the bus take what they take.
"""

from __future__ import annotations

import asyncio
import json
import os
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import aiohttp

from shared.concurrency import holding

_ENDPOINTS, _KEY, _CLOCK = "TEST_CONTROL", "TEST_CONTROL_KEY", "TEST_CLOCK"


def settings(control: str, key: str, clock: Path) -> dict[str, str]:
    """Return what an app's process must know. `clock` is where it writes the seconds gone by."""
    return {_ENDPOINTS: control, _KEY: key, _CLOCK: str(clock)}


class BusClock:
    """Seconds since its start, moved by those who sleep; they sleep one after the other."""

    def __init__(self) -> None:
        self._now = 0.0
        self._session: aiohttp.ClientSession | None = None

    def time(self) -> float:
        """Return the time, as an event loop does."""
        return self._now

    async def sleep(self, seconds: float) -> None:
        """Advance the clock of the bus, once nobody else has anything under way.

        The receiver works by the real clock: its locks would run out while it does.
        """
        while await self._others_work():  # noqa: ASYNC110 - another process works
            await asyncio.sleep(0.02)
        self._now += seconds
        await self._control("PUT", "/bus/clock", json.dumps({"ahead": int(self._now)}))
        # In the place of the old one at once: another process reads it at any time.
        new = Path(f"{os.environ[_CLOCK]}.new")
        new.write_text(str(self._now))  # noqa: ASYNC240 - a few bytes
        new.replace(os.environ[_CLOCK])  # noqa: ASYNC240 - as above

    async def _others_work(self) -> bool:
        queue = (await self._control("GET", "/status"))["queues"]["dead-letters"]
        return bool(queue["active"] or queue["locked"])

    async def _control(self, method: str, path: str, body: str | None = None) -> Any:
        if self._session is None:
            key = f"Bearer {os.environ[_KEY]}"
            self._session = aiohttp.ClientSession(headers={"Authorization": key})
        url = f"{os.environ[_ENDPOINTS]}{path}"
        async with self._session.request(method, url, data=body) as answer:
            answer.raise_for_status()
            return await answer.json()

    def timeout_at(self, until: float) -> asyncio.Timeout:
        """Give what is done the seconds that are left until then, real ones."""
        return asyncio.timeout(until - self._now)


def install() -> None:
    """Let the app wait by such a clock."""
    clock = BusClock()
    waiting = SimpleNamespace(
        get_running_loop=lambda: clock,
        sleep=clock.sleep,
        timeout_at=clock.timeout_at,
        timeout=asyncio.timeout,
    )
    cast("Any", holding).asyncio = waiting
