"""A stream of messages that keeps account of what it was promised."""

from __future__ import annotations

import asyncio
import hashlib
import random
import time
import uuid
from dataclasses import dataclass, field

import aiohttp

from tests.pipeline.cloud_process import Received, Running

MOST_WAITING = 1000  # messages, those that are rejected included
# The status that the partner is made to answer to a message, by a mark in its content type.
MARKS = {"fault=400": 400, "fault=422": 422}


@dataclass(frozen=True)
class Promise:
    """A message answered with 202: what it was, and when (seconds since 1970)."""

    id: str
    sha256: str
    mark: str | None
    posted_at: float
    accepted_at: float


@dataclass
class Arrivals:
    """What arrives at the partner, read as it comes: the partner forgets the oldest of many."""

    cloud: Running
    by_id: dict[str, list[Received]] = field(default_factory=dict)
    _last: int = 0

    async def watch(self) -> None:
        while True:
            await self.read()
            await asyncio.sleep(1)

    async def read(self) -> None:
        before = self._last
        self._last, page = await self.cloud.deliveries(before)
        assert self._last == before + len(page), "the partner forgot what nobody had read yet"
        for one in page:
            self.by_id.setdefault(one.id, []).append(one)


@dataclass
class Stream:
    """Posts messages until it is stopped, and each one until it is answered 202.

    A repeated try has the same Idempotency-Key, so it is the same message. While too many have not
    arrived, it posts no more: on a busy machine the queue would only grow.
    """

    cloud: Running
    chance: random.Random
    arrivals: Arrivals
    promises: list[Promise] = field(default_factory=list)
    refusals: int = 0
    _stop: asyncio.Event = field(default_factory=asyncio.Event)

    async def run(self, workers: int) -> None:
        timeout = aiohttp.ClientTimeout(total=20)
        async with self.cloud.session(timeout=timeout) as session, asyncio.TaskGroup() as group:
            for _ in range(workers):
                group.create_task(self._work(session))

    def stop(self) -> None:
        self._stop.set()

    async def _work(self, session: aiohttp.ClientSession) -> None:
        while not self._stop.is_set():
            if len(self.promises) - len(self.arrivals.by_id) < MOST_WAITING:
                await self._send(session)
            await asyncio.sleep(self.chance.random() * 0.1)

    async def _send(self, session: aiohttp.ClientSession) -> None:
        payload = self.chance.randbytes(int(3000 ** self.chance.random()))
        mark = self.chance.choice([*MARKS]) if self.chance.random() < 0.02 else None
        headers = {
            "Content-Type": f"text/plain; {mark}" if mark else "text/plain",
            "Idempotency-Key": f'"{uuid.UUID(bytes=self.chance.randbytes(16))}"',
        }
        posted = time.time()
        while not (message_id := await self._try(session, payload, headers)):
            self.refusals += 1
            await asyncio.sleep(0.2)
        digest = hashlib.sha256(payload).hexdigest()
        self.promises.append(Promise(message_id, digest, mark, posted, time.time()))

    async def _try(
        self, session: aiohttp.ClientSession, payload: bytes, headers: dict[str, str]
    ) -> str | None:
        url = f"{self.cloud.endpoints['sender']}/api/messages"
        try:
            async with session.post(url, data=payload, headers=headers) as answer:
                if answer.status == 202:
                    return str((await answer.json())["id"])
                if answer.status == 500:
                    # The host's own answer, when the worker ended with the request under way.
                    assert not await answer.read()
                    return None
                assert answer.status == 503, f"{answer.status}: {await answer.text()}"
                assert answer.headers["Retry-After"]
        except (aiohttp.ClientError, TimeoutError, OSError):
            pass
        return None
