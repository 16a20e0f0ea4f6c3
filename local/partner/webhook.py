"""The partner: an HTTPS endpoint in the other network that verifies and keeps messages.

It keeps the newest messages: at most 20,000, and at most 512 MiB of bodies; the oldest are dropped.
It counts how often it accepted each of the newest 200,000 ids.
"""

from __future__ import annotations

import json
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from hashlib import sha256

from aiohttp import web

from local.net.bearer import has_key
from local.partner.listing import listed, payload_json
from local.partner.signatures import SigningSecret, verify

MAX_BODY = 1024 * 1024
_MAX_KEPT = 20_000
_MAX_KEPT_BYTES = 512 * 1024 * 1024
_MAX_IDS = 200_000


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

    def as_json(self, *, brief: bool = False) -> dict[str, object]:
        """Return what `GET /received` shows of it; a brief one has a size instead of the body."""
        return {
            "n": self.number,
            "id": self.id,
            "content_type": self.content_type,
            **payload_json(self.body, brief=brief),
            "verified": self.verified,
            "received_at": datetime.fromtimestamp(self.received_at, UTC).isoformat(),
            "traceparent": self.traceparent,
        }


@dataclass(frozen=True)
class AcceptedMessage:
    """An accepted message: how often it came, and whether it was the `same` each time."""

    times: int
    sha256: str
    content_type: str
    same: bool = True

    def repeated(self, repeat: AcceptedMessage) -> AcceptedMessage:
        """Count a repeat; the first content stays."""
        same = (repeat.sha256, repeat.content_type) == (self.sha256, self.content_type)
        return replace(self, times=self.times + 1, same=self.same and same)


class PartnerWebhook:
    """The partner's state; `secrets` are all in force, more than one while one is rotated."""

    def __init__(
        self, clock: Callable[[], float] = time.time, secret: SigningSecret | None = None
    ) -> None:
        self.secrets = [secret or SigningSecret.generate()]
        self.count = 0
        self._clock = clock
        self._kept: deque[Received] = deque()
        self._kept_bytes = 0
        self._accepted: dict[str, AcceptedMessage] = {}

    def secret(self, url: str) -> str:
        """Write the partner's secret as Relay reads it; `url` is where the webhook is served."""
        texts = [secret.text for secret in self.secrets]
        return json.dumps({"kind": "webhook", "url": f"{url}/messages", "secrets": texts})

    def receive(self, request: web.Request, body: bytes) -> Received:
        """Verify a message and keep it, valid or not."""
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
        if message.verified:
            self._count(message)
        return message

    def accepted(self) -> list[tuple[str, AcceptedMessage]]:
        """Return the messages that were verified, and so accepted, by their ids, oldest first."""
        return list(self._accepted.items())

    def received(self, after: int = 0) -> Iterator[Received]:
        """Return what is kept with a number above `after`, newest last."""
        return (message for message in tuple(self._kept) if message.number > after)

    def _count(self, message: Received) -> None:
        one = AcceptedMessage(1, sha256(message.body).hexdigest(), message.content_type)
        before = self._accepted.get(message.id)
        self._accepted[message.id] = before.repeated(one) if before else one
        if len(self._accepted) > _MAX_IDS:
            del self._accepted[next(iter(self._accepted))]

    def _keep(self, message: Received) -> None:
        self._kept.append(message)
        self._kept_bytes += len(message.body)
        while len(self._kept) > _MAX_KEPT or self._kept_bytes > _MAX_KEPT_BYTES:
            self._kept_bytes -= len(self._kept.popleft().body)


def partner_app(partner: PartnerWebhook, key: str) -> web.Application:
    """Serve `POST` on any path (204, or 401 if not verified) and `GET /received`, with its key.

    - `/received`: a list of the messages kept, with their bodies, or as the query asks for it:
      `local.partner.listing.listed`
    - `/received?ids`: `{id: {"times": n, "sha256": hex, "content_type": text, "same": bool}}` of
      those that were verified
    """

    async def receive(request: web.Request) -> web.Response:
        message = partner.receive(request, await request.read())
        return web.Response(status=204 if message.verified else 401)

    async def show(request: web.Request) -> web.StreamResponse:
        # These are decrypted payloads: not for every program that can reach this machine.
        if not has_key(request, key):
            return web.Response(status=401, text="the partner's key is missing or wrong")
        if "ids" in request.query:
            about = (f"{json.dumps(i)}: {json.dumps(asdict(t))}" for i, t in partner.accepted())
            return await stream_json(request, "{", about, "}")
        try:
            messages = listed(request, partner.received, _MAX_KEPT)
        except ValueError as error:
            raise web.HTTPBadRequest(text=str(error)) from None
        return await stream_json(request, "[", messages, "]")

    app = web.Application(client_max_size=MAX_BODY)
    app.router.add_get("/received", show)
    app.router.add_post("/{path:.*}", receive)
    return app


async def stream_json(
    request: web.Request, begin: str, parts: Iterable[str], end: str
) -> web.StreamResponse:
    """Write JSON piece by piece, so that a long one does not block the whole cloud."""
    response = web.StreamResponse(headers={"Content-Type": "application/json"})
    await response.prepare(request)
    separator = begin
    for part in parts:
        await response.write(f"{separator}{part}".encode())
        separator = ",\n"
    await response.write((begin + end if separator == begin else end).encode())
    await response.write_eof()
    return response
