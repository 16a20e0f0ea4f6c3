"""The gate before a webhook on a real socket: what a partner's bad day costs it."""

from __future__ import annotations

import asyncio
import json
import logging
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from aiohttp import web

from shared.azure.network import ConnectionOptions
from shared.message.protected_header import MessageHeader
from shared.partner.answers import FinalStatuses
from shared.partner.breaker import BreakerPolicy
from shared.partner.delivery import (
    Delivery,
    MessageDeniedError,
    PartnerBlockedError,
    PartnerDeniedError,
    PartnerRefusedError,
    PartnerUnavailableError,
)
from shared.partner.gate import GatePolicy, PartnerGate
from shared.partner.partner import Partner
from shared.telemetry.outages import Outages

Serve = Callable[[Callable[[str], web.Application]], Awaitable[str]]
RIGHT, WRONG = ("whsec_" + "QUFB" * 8, "whsec_" + "QkJC" * 8)


@dataclass
class Endpoint:
    """A partner: answers by the id of a message, else with `status`; waits `seconds` before."""

    status: int = 200
    by_id: dict[str, int] = field(default_factory=dict)
    headers: dict[str, str] = field(default_factory=dict)
    seconds: float = 0.0
    posts: Counter[str] = field(default_factory=Counter)
    under_way: int = 0
    most: int = 0

    async def handle(self, request: web.Request) -> web.Response:
        await request.read()
        message_id = request.headers["webhook-id"]
        self.posts[message_id] += 1
        self.under_way += 1
        self.most = max(self.most, self.under_way)
        try:
            await asyncio.sleep(self.seconds)
        finally:
            self.under_way -= 1
        status = self.by_id.get(message_id, self.status)
        return web.Response(status=status, headers=self.headers)

    def app(self, _: str) -> web.Application:
        app = web.Application()
        app.router.add_post("/{path:.*}", self.handle)
        return app


@dataclass
class Secret:
    """The partner's secret in a vault: `value` is what the vault has, `kept` what was read."""

    url: str
    signing: str = RIGHT
    kept: str | None = None
    reads: int = 0

    async def value(self) -> str:
        if self.kept is None:
            self.reads += 1
            self.kept = json.dumps({"kind": "webhook", "url": self.url, "secrets": [self.signing]})
        return self.kept

    def forget(self, value: str) -> None:
        if self.kept == value:
            self.kept = None


@pytest.fixture
def endpoint() -> Endpoint:
    return Endpoint()


@pytest.fixture
async def secret(endpoint: Endpoint, serve_tls: Serve) -> Secret:
    return Secret(await serve_tls(endpoint.app))


@pytest.fixture
async def partner(secret: Secret, ca_file: Path) -> AsyncIterator[Partner]:
    options = ConnectionOptions(ca_file)
    partner = Partner.connect(secret, 1.0, options, FinalStatuses.parse("400,422"))
    yield partner
    await partner.close()


def gate_of(partner: Partner, **limits: float) -> PartnerGate:
    policy = GatePolicy(
        BreakerPolicy(failures=5, longest_interval=limits.get("probes", 3600.0)),
        concurrency=int(limits.get("concurrency", 8)),
        rate=limits.get("rate", 0.0),
        wait_seconds=limits.get("wait_seconds", 0.0),
    )
    return PartnerGate(partner, policy, Outages(logging.getLogger("test")))


async def post(gate: PartnerGate, message_id: str) -> Exception | None:
    try:
        gate.check(message_id)
        await gate.deliver(Delivery(MessageHeader(message_id, "a/b"), b"payload"))
    except Exception as error:
        return error
    return None


async def flood(gate: PartnerGate, count: int) -> Counter[type[object]]:
    """Deliver so many messages at once; return how often each thing became of them."""
    ended = await asyncio.gather(*(post(gate, str(n)) for n in range(count)))
    return Counter(type(one) for one in ended)


@pytest.mark.parametrize("status", [404, 405, 409, 410, 421, 429, 301, 307, 500, 502, 503, 504])
async def test_a_partner_that_answers_nonsense_to_all_gets_few_posts_and_nothing_is_refused(
    partner: Partner, endpoint: Endpoint, status: int
) -> None:
    endpoint.status, endpoint.headers = status, {"Location": "/elsewhere"}
    ended = await flood(gate_of(partner, wait_seconds=30.0, probes=0.001), 5)
    assert ended == {PartnerUnavailableError: 5}
    endpoint.posts.clear()
    gate = gate_of(partner)
    for _ in range(3):
        ended = await flood(gate, 100)
        assert set(ended) <= {PartnerUnavailableError, PartnerBlockedError}
    assert endpoint.posts.total() <= 5 + 8, "as many as open it, and what was under way"


@pytest.mark.parametrize("status", [401, 403])
async def test_a_wrong_secret_costs_few_posts_and_is_read_again(
    partner: Partner, endpoint: Endpoint, secret: Secret, status: int
) -> None:
    endpoint.status = status
    ended = await flood(gate_of(partner), 100)
    assert set(ended) <= {PartnerDeniedError, PartnerBlockedError}
    assert endpoint.posts.total() <= 5 + 8
    assert secret.reads > 1
    endpoint.status, endpoint.by_id = 200, {}
    probing = gate_of(partner, probes=0.001, wait_seconds=5.0)
    assert await flood(probing, 20) == {type(None): 20}


async def test_one_body_that_a_firewall_dislikes_stops_nobody(
    partner: Partner, endpoint: Endpoint
) -> None:
    endpoint.by_id = {"bad": 403}
    gate = gate_of(partner, wait_seconds=5.0)
    kinds = []
    for n in range(8):
        kinds.append(type(await post(gate, "bad")))
        assert await post(gate, f"good-{n}") is None
    assert kinds == [PartnerDeniedError, *[MessageDeniedError] * 7]


async def test_what_is_declared_final_is_refused_and_stops_nobody(
    partner: Partner, endpoint: Endpoint
) -> None:
    endpoint.status = 422
    assert await flood(gate_of(partner, wait_seconds=5.0), 30) == {PartnerRefusedError: 30}


async def test_a_partner_that_hangs_keeps_no_more_places_than_it_may(
    partner: Partner, endpoint: Endpoint
) -> None:
    endpoint.seconds = 2.0  # longer than a call waits for an answer
    ended = await flood(gate_of(partner, concurrency=3), 50)
    assert ended[PartnerUnavailableError] == 3
    assert ended[PartnerBlockedError] == 47
    assert endpoint.most == 3


async def test_a_flood_reaches_the_partner_no_wider_and_no_faster_than_the_limits(
    partner: Partner, endpoint: Endpoint
) -> None:
    endpoint.seconds = 0.01
    loop = asyncio.get_running_loop()
    began = loop.time()
    ended = await flood(gate_of(partner, concurrency=4, rate=200.0, wait_seconds=30.0), 60)
    assert ended == {type(None): 60}
    assert endpoint.most <= 4
    assert 59 / (loop.time() - began) <= 200.0


@pytest.mark.parametrize(
    ("header", "asked"),
    [("17", 17), ("0", 0), ("soon", None), ("", None), ("Thu, 01 Jan 1970 00:00:01 GMT", 0)],
)
@pytest.mark.parametrize("status", [404, 429, 503, 307, 401])
async def test_when_to_come_back_is_read_from_every_answer_that_is_not_final(
    partner: Partner, endpoint: Endpoint, status: int, header: str, asked: float | None
) -> None:
    endpoint.status, endpoint.headers = status, {"Retry-After": header}
    error = await post(gate_of(partner), "mine")
    assert isinstance(error, PartnerUnavailableError | PartnerDeniedError)
    assert error.retry_after == asked
