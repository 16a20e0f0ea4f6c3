"""The webhook over a real socket: what is posted, and what is not followed."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from aiohttp import web

from shared.azure.network import ConnectionOptions
from shared.message.protected_header import MessageHeader
from shared.partner import webhook
from shared.partner.delivery import (
    Delivery,
    PartnerSecretError,
    PartnerUnavailableError,
)
from shared.partner.webhook import Webhook, WebhookClient
from shared.standards.trace_context import TraceContext

Serve = Callable[[Callable[[str], web.Application]], Awaitable[str]]
TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
DELIVERY = Delivery(MessageHeader("id-1", "a/b"), b"\x00payload\xff", TraceContext(TRACE))


@dataclass
class Endpoint:
    """A partner's webhook: what it got, and what it answers; `rest` is a body in pieces."""

    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    got: list[tuple[dict[str, str], bytes]] = field(default_factory=list)

    rest: Sequence[bytes] | None = None
    connections: set[object] = field(default_factory=set)

    async def handle(self, request: web.Request) -> web.StreamResponse:
        self.got.append((dict(request.headers), await request.read()))
        assert request.transport
        self.connections.add(request.transport.get_extra_info("peername"))
        if self.rest is None:
            return web.Response(status=self.status, headers=self.headers)
        answer = web.StreamResponse(status=self.status, headers=self.headers)
        await answer.prepare(request)
        for piece in self.rest:
            await answer.write(piece)
            await asyncio.sleep(0)  # so that it comes by itself
        return answer

    def app(self, _: str) -> web.Application:
        app = web.Application()
        app.router.add_post("/{path:.*}", self.handle)
        return app


@pytest.fixture
def endpoint() -> Endpoint:
    return Endpoint()


@pytest.fixture
def patience(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(webhook, "UNREAD_SECONDS", 30.0)


@pytest.fixture
async def client(ca_file: Path) -> AsyncIterator[WebhookClient]:
    client = WebhookClient(5, ConnectionOptions(ca_file), clock=lambda: 1614265330.9)
    yield client
    await client.close()


async def test_what_is_posted(client: WebhookClient, endpoint: Endpoint, serve_tls: Serve) -> None:
    target = Webhook(await serve_tls(endpoint.app) + "messages?x=1", (bytes(24), bytes(32)))
    await client.send(target, DELIVERY)
    ((headers, body),) = endpoint.got
    assert body == DELIVERY.payload
    expected = target.headers(DELIVERY, 1614265330)
    assert {name: headers[name] for name in expected} == expected
    assert expected["webhook-id"] == "id-1"
    assert len(expected["webhook-signature"].split()) == 2


async def test_no_redirect_and_no_cookie_is_followed(
    client: WebhookClient, endpoint: Endpoint, serve_tls: Serve
) -> None:
    target = Webhook(await serve_tls(endpoint.app), (bytes(24),))
    endpoint.status, endpoint.headers = 307, {"Location": "/elsewhere", "Set-Cookie": "a=b"}
    for _ in range(2):
        with pytest.raises(PartnerUnavailableError, match="it answered 307"):
            await client.send(target, DELIVERY)
    assert len(endpoint.got) == 2
    assert "Cookie" not in endpoint.got[1][0]


async def test_when_to_come_back_is_read_from_the_answer(
    client: WebhookClient, endpoint: Endpoint, serve_tls: Serve
) -> None:
    endpoint.status, endpoint.headers = 503, {"Retry-After": "17"}
    with pytest.raises(PartnerUnavailableError, match="it answered 503") as caught:
        await client.send(Webhook(await serve_tls(endpoint.app), (bytes(24),)), DELIVERY)
    assert caught.value.retry_after == 17


@pytest.mark.usefixtures("patience")
@pytest.mark.parametrize("status", [200, 503])
async def test_an_answer_with_a_body_leaves_its_connection_to_the_next_message(
    client: WebhookClient, endpoint: Endpoint, serve_tls: Serve, status: int
) -> None:
    endpoint.status, endpoint.rest = status, [b"some ", b"text ", b"\xff"]
    target = Webhook(await serve_tls(endpoint.app), (bytes(24),))
    for _ in range(3):
        with suppress(PartnerUnavailableError):
            await client.send(target, DELIVERY)
    assert (len(endpoint.got), len(endpoint.connections)) == (3, 1)


@pytest.mark.usefixtures("patience")
async def test_an_answer_that_is_large_is_not_read_to_its_end(
    client: WebhookClient, endpoint: Endpoint, serve_tls: Serve
) -> None:
    endpoint.rest = [bytes(1_000_000)] * 1000
    target = Webhook(await serve_tls(endpoint.app), (bytes(24),))
    for _ in range(2):
        await client.send(target, DELIVERY)
    assert len(endpoint.connections) == 2


async def test_no_answer_is_unpacked(
    client: WebhookClient, endpoint: Endpoint, serve_tls: Serve
) -> None:
    endpoint.headers, endpoint.rest = {"Content-Encoding": "gzip"}, [b"no", b" gzip"]
    await client.send(Webhook(await serve_tls(endpoint.app), (bytes(24),)), DELIVERY)
    assert "Accept-Encoding" not in endpoint.got[0][0]


async def test_a_partner_that_cannot_be_reached_is_away(client: WebhookClient) -> None:
    with pytest.raises(PartnerUnavailableError, match="no answer") as caught:
        await client.send(Webhook("https://127.0.0.1:9/planted", (bytes(24),)), DELIVERY)
    assert "planted" not in str(caught.value)


async def test_a_partner_with_a_certificate_of_somebody_else_gets_nothing(
    endpoint: Endpoint, serve_tls: Serve
) -> None:
    client = WebhookClient(5, ConnectionOptions())
    try:
        with pytest.raises(PartnerUnavailableError, match="no answer"):
            await client.send(Webhook(await serve_tls(endpoint.app), (bytes(24),)), DELIVERY)
    finally:
        await client.close()
    assert endpoint.got == []


@pytest.mark.parametrize(
    "url",
    [
        "https://relay..partner.example/",
        f"https://{'x' * 64}.example/",
        "https://partner.example:99999/",
        "https:///messages",
        "",
    ],
)
async def test_a_url_that_was_not_checked_is_a_wrong_secret_and_no_crash(
    client: WebhookClient, url: str
) -> None:
    with pytest.raises(PartnerSecretError) as caught:
        await client.send(Webhook(url, (bytes(24),)), DELIVERY)
    assert "partner.example" not in str(caught.value)
