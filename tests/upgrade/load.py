"""Callers of a sender and a tracker that are being replaced, and what they are answered."""

from __future__ import annotations

import asyncio
import hashlib
import time
import uuid
from dataclasses import dataclass, field

import aiohttp

from tests.pipeline.cloud_process import Running

_CALLERS = 3
_PAUSE = 0.2  # seconds after each try to post


@dataclass
class Restarts:
    """When apps were being replaced: what they then do not answer is the restart's."""

    begun: dict[str, float] = field(default_factory=dict)
    ended: dict[str, float] = field(default_factory=dict)

    def begin(self, app: str) -> None:
        self.begun[app] = time.monotonic()
        self.ended.pop(app, None)

    def end(self, app: str) -> None:
        self.ended[app] = time.monotonic()

    def explain(self, app: str, since: float) -> bool:
        """Return whether an app was being replaced at some time from `since` to now."""
        return app in self.begun and self.ended.get(app, time.monotonic()) >= since


@dataclass
class Load:
    """Posts messages, each until it is answered 202, and asks where they are."""

    cloud: Running
    restarts: Restarts = field(default_factory=Restarts)
    sent: dict[str, str] = field(default_factory=dict)
    """The SHA-256 of each message that was accepted, by its id."""
    unexplained: list[str] = field(default_factory=list)
    _stop: asyncio.Event = field(default_factory=asyncio.Event)

    async def run(self) -> None:
        timeout = aiohttp.ClientTimeout(total=30)
        async with self.cloud.session(timeout=timeout) as session, asyncio.TaskGroup() as group:
            for _ in range(_CALLERS):
                group.create_task(self._call(session))

    def stop(self) -> None:
        self._stop.set()

    async def _call(self, session: aiohttp.ClientSession) -> None:
        while not self._stop.is_set():
            payload, key = uuid.uuid4().bytes, f'"{uuid.uuid4()}"'
            headers = {"Idempotency-Key": key, "Content-Type": "application/octet-stream"}
            url = f"{self.cloud.endpoints['sender']}/api/messages"
            found = None
            while found is None:
                found = await self._try(session, "sender", "POST", url, payload, headers)
                await asyncio.sleep(_PAUSE)
            self.sent[found["id"]] = hashlib.sha256(payload).hexdigest()
            url = f"{self.cloud.endpoints['tracker']}/api/messages/{found['id']}"
            await self._try(session, "tracker", "GET", url)

    async def _try(
        self,
        session: aiohttp.ClientSession,
        app: str,
        method: str,
        url: str,
        payload: bytes | None = None,
        headers: dict[str, str] | None = None,
    ) -> dict[str, str] | None:
        begun = time.monotonic()
        try:
            async with session.request(method, url, data=payload, headers=headers) as answer:
                if answer.status in {200, 202}:
                    return dict(await answer.json(content_type=None))
                what = f"{answer.status} {await answer.text()}"
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            what = repr(error)
        if not self.restarts.explain(app, begun):
            self.unexplained.append(f"{method} of the {app}: {what}")
        return None
