"""The partner: an HTTPS endpoint in the other network that checks signatures and remembers.

It keeps the newest messages only: at most 20,000 and at most 512 MiB of bodies, whichever comes
first; the oldest make room.
"""

from __future__ import annotations

import base64
import json
import time
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

from aiohttp import web

from local.signatures import SigningSecret, verify

MAX_BODY = 1024 * 1024
_MAX_KEPT = 20_000
_MAX_KEPT_BYTES = 512 * 1024 * 1024


@dataclass(frozen=True)
class Received:
    """A message as it arrived; `number` counts from 1, `received_at` is a Unix time."""

    number: int
    id: str
    content_type: str
    traceparent: str | None
    body: bytes
    verified: bool
    received_at: float

    def as_json(self) -> dict[str, object]:
        """Return what `GET /received` shows of it."""
        return {
            "n": self.number,
            "id": self.id,
            "content_type": self.content_type,
            "body": base64.b64encode(self.body).decode(),
            "verified": self.verified,
            "received_at": datetime.fromtimestamp(self.received_at, UTC).isoformat(),
            "traceparent": self.traceparent,
        }


class Partner:
    """The partner's state; `secrets` are all in force, more than one while one is rotated."""

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self.secrets = [SigningSecret.generate()]
        self.count = 0
        self._clock = clock
        self._kept: deque[Received] = deque()
        self._kept_bytes = 0

    def take(self, request: web.Request, body: bytes) -> Received:
        """Check a message and keep it, whether it verifies or not."""
        now = self._clock()
        self.count += 1
        message = Received(
            number=self.count,
            id=request.headers.get("webhook-id", ""),
            content_type=request.headers.get("content-type", ""),
            traceparent=request.headers.get("traceparent"),
            body=body,
            verified=verify(self.secrets, request.headers, body, now),
            received_at=now,
        )
        self._keep(message)
        return message

    def received(self, after: int = 0) -> Iterator[Received]:
        """Return what is kept with a number above `after`, newest last."""
        return (message for message in tuple(self._kept) if message.number > after)

    def _keep(self, message: Received) -> None:
        self._kept.append(message)
        self._kept_bytes += len(message.body)
        while len(self._kept) > _MAX_KEPT or self._kept_bytes > _MAX_KEPT_BYTES:
            self._kept_bytes -= len(self._kept.popleft().body)


def partner_app(partner: Partner) -> web.Application:
    """Serve `POST` on any path (204, or 401 if not verified) and `GET /received?after=N`."""

    async def take(request: web.Request) -> web.Response:
        message = partner.take(request, await request.read())
        return web.Response(status=204 if message.verified else 401)

    async def show(request: web.Request) -> web.StreamResponse:
        after = request.query.get("after", "0")
        if not (after.isascii() and after.isdigit()):
            raise web.HTTPBadRequest(text="after must be a number")
        return await _stream(request, partner.received(int(after)))

    app = web.Application(client_max_size=MAX_BODY)
    app.router.add_get("/received", show)
    app.router.add_post("/{path:.*}", take)
    return app


async def _stream(request: web.Request, messages: Iterator[Received]) -> web.StreamResponse:
    """Write a JSON array piece by piece, so that a long one does not hold up the whole cloud."""
    response = web.StreamResponse(headers={"Content-Type": "application/json"})
    await response.prepare(request)
    separator = "["
    for message in messages:
        await response.write(f"{separator}{json.dumps(message.as_json())}".encode())
        separator = ",\n"
    await response.write(b"[]" if separator == "[" else b"]")
    await response.write_eof()
    return response
