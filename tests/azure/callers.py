"""Callers of the sender: as many at once as asked for, each counted by what it was answered."""

from __future__ import annotations

import asyncio
import time
import uuid
from collections import Counter

import aiohttp

from tests.azure.verdicts import Answers

_ANSWER_SECONDS = 120.0
_PAYLOAD = b"a message of tests/azure"


class Callers:
    """Posts to one sender; `key` is its function key."""

    def __init__(self, url: str, key: str) -> None:
        self._url = f"{url.rstrip('/')}/api/messages"
        self._key = key

    def send(self, count: int, at_once: int = 16) -> Answers:
        """Send so many messages."""
        return asyncio.run(self._run(at_once, count=count, seconds=None))

    def load(self, callers: int, seconds: float) -> Answers:
        """Let so many callers send one message after the other for so long."""
        return asyncio.run(self._run(callers, count=None, seconds=seconds))

    async def _run(self, callers: int, *, count: int | None, seconds: float | None) -> Answers:
        end = None if seconds is None else time.monotonic() + seconds
        left = iter(range(count)) if count is not None else None
        tally = _Tally()

        async def one(session: aiohttp.ClientSession) -> None:
            while (end is None or time.monotonic() < end) and (
                left is None or next(left, None) is not None
            ):
                await self._post(session, tally)

        timeout = aiohttp.ClientTimeout(total=_ANSWER_SECONDS)
        connector = aiohttp.TCPConnector(limit=0)
        async with aiohttp.ClientSession(timeout=timeout, connector=connector) as session:
            await asyncio.gather(*(one(session) for _ in range(callers)))
        return tally.answers()

    async def _post(self, session: aiohttp.ClientSession, tally: _Tally) -> None:
        # The key in a header: a URL ends up in logs.
        headers = {"x-functions-key": self._key, "Idempotency-Key": f'"{uuid.uuid4()}"'}
        try:
            async with session.post(
                self._url, data=_PAYLOAD, headers=headers, allow_redirects=False
            ) as response:
                body = await response.json() if response.status == 202 else {}
                tally.statuses[response.status] += 1
                if isinstance(body, dict) and isinstance(body.get("id"), str):
                    tally.accepted.append(body["id"])
                if response.status == 503 and "Retry-After" not in response.headers:
                    tally.silent += 1
        except (aiohttp.ClientError, OSError, TimeoutError, ValueError) as error:
            tally.broken[type(error).__name__] += 1


class _Tally:
    def __init__(self) -> None:
        self.statuses: Counter[int] = Counter()
        self.broken: Counter[str] = Counter()
        self.accepted: list[str] = []
        self.silent = 0

    def answers(self) -> Answers:
        return Answers(dict(self.statuses), self.accepted, self.silent, dict(self.broken))
