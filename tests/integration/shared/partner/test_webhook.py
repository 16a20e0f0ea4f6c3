"""The webhook over a real socket: what is posted, and what is not followed."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from aiohttp import web

from shared.azure.network import ConnectionOptions
from shared.message.protected_header import MessageHeader
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
    """A partner's webhook: what it got, and what it answers."""

    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    got: list[tuple[dict[str, str], bytes]] = field(default_factory=list)

    async def handle(self, request: web.Request) -> web.Response:
        self.got.append((dict(request.headers), await request.read()))
        return web.Response(status=self.status, headers=self.headers)

    def app(self, _: str) -> web.Application:
        app = web.Application()
        app.router.add_post("/{path:.*}", self.handle)
        return app


@pytest.fixture
def endpoint() -> Endpoint:
    return Endpoint()


@pytest.fixture
async def client(ca_file: Path) -> AsyncIterator[WebhookClient]:
    client = WebhookClient(5, ConnectionOptions(ca_file), clock=lambda: 1614265330.9)
    yield client
    await client.close()


async def test_what_is_posted(client: WebhookClient, endpoint: Endpoint, serve_tls: Serve) -> None:
    webhook = Webhook(await serve_tls(endpoint.app) + "messages?x=1", (bytes(24), bytes(32)))
    await client.send(webhook, DELIVERY)
    ((headers, body),) = endpoint.got
    assert body == DELIVERY.payload
    expected = webhook.headers(DELIVERY, 1614265330)
    assert {name: headers[name] for name in expected} == expected
    assert expected["webhook-id"] == "id-1"
    assert len(expected["webhook-signature"].split()) == 2


async def test_no_redirect_and_no_cookie_is_followed(
    client: WebhookClient, endpoint: Endpoint, serve_tls: Serve
) -> None:
    webhook = Webhook(await serve_tls(endpoint.app), (bytes(24),))
    endpoint.status, endpoint.headers = 307, {"Location": "/elsewhere", "Set-Cookie": "a=b"}
    for _ in range(2):
        with pytest.raises(PartnerUnavailableError, match="it answered 307"):
            await client.send(webhook, DELIVERY)
    assert len(endpoint.got) == 2
    assert "Cookie" not in endpoint.got[1][0]


async def test_when_to_come_back_is_read_from_the_answer(
    client: WebhookClient, endpoint: Endpoint, serve_tls: Serve
) -> None:
    endpoint.status, endpoint.headers = 503, {"Retry-After": "17"}
    with pytest.raises(PartnerUnavailableError, match="it answered 503") as caught:
        await client.send(Webhook(await serve_tls(endpoint.app), (bytes(24),)), DELIVERY)
    assert caught.value.retry_after == 17


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
