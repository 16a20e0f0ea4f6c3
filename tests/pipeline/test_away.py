"""The sender while what it needs is away, throttles or refuses: 503, and nothing shown."""

from __future__ import annotations

import json
import ssl
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import trustme
from aiohttp import web

from tests.pipeline.cloud_process import Running
from tests.pipeline.ops_cli import ops

CHALLENGE = (
    'Bearer authorization="https://login.microsoftonline.com/tenant", '
    'resource="https://vault.azure.net"'
)
TRACE = f"00-{'a' * 32}-{'b' * 16}-01"
NOBODY = "127.0.0.1:9"  # the discard service: no machine has it any more


async def assert_unavailable(cloud: Running, sender: str) -> str:
    """Post a message; return the Retry-After of the 503."""
    async with (
        cloud.session() as session,
        session.post(f"{sender}/api/messages", data=b"planted-payload") as answer,
    ):
        assert answer.status == 503
        assert answer.content_type == "application/problem+json"
        problem = await answer.json()
        assert problem["status"] == 503
        assert "send it again" in problem["detail"]
        assert "planted" not in str(problem)
        return answer.headers["Retry-After"]


@pytest.fixture
async def throttling_vault(cloud: Running, tmp_path: Path) -> AsyncIterator[dict[str, str]]:
    """Give the settings of a sender whose vault answers 429 to everyone."""

    async def answer(request: web.Request) -> web.Response:
        if "Authorization" not in request.headers:
            return web.Response(status=401, headers={"WWW-Authenticate": CHALLENGE})
        body = {"error": {"code": "Throttled", "message": "later"}}
        return web.json_response(body, status=429, headers={"Retry-After": "17"})

    authority = trustme.CA()
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(tls)
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", answer)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=tls).start()
    bundle = tmp_path / "ca.pem"
    bundle.write_bytes(cloud.authorities + authority.cert_pem.bytes())
    key = f"https://127.0.0.1:{runner.addresses[0][1]}/keys/payload"
    yield {"RELAY_KEY_PAYLOAD": key, "RELAY_CA_BUNDLE": str(bundle)}
    await runner.cleanup()


async def test_the_vault_is_away(cloud: Running) -> None:
    key = f"https://{NOBODY}/keys/payload"
    async with cloud.another_sender(RELAY_KEY_PAYLOAD=key) as sender:
        await assert_unavailable(cloud, sender)


async def test_the_vault_throttles_and_says_for_how_long(
    cloud: Running, throttling_vault: dict[str, str]
) -> None:
    async with cloud.another_sender(**throttling_vault) as sender:
        assert await assert_unavailable(cloud, sender) == "17"


async def test_the_bus_is_away(cloud: Running) -> None:
    async with cloud.another_sender(RELAY_BUS_ENDPOINT=f"sb://{NOBODY}") as sender:
        await assert_unavailable(cloud, sender)


async def test_the_identities_are_away(cloud: Running) -> None:
    endpoint = f"http://{NOBODY}/msi/token"
    async with cloud.another_sender(IDENTITY_ENDPOINT=endpoint) as sender:
        await assert_unavailable(cloud, sender)


@pytest.mark.parametrize("missing", ["ENCRYPT", "SENDER_BUS"])
async def test_an_identity_is_not_the_right_one(cloud: Running, missing: str) -> None:
    environment = await cloud.environment("sender")
    wrong = {f"RELAY_IDENTITY_{missing}": environment["RELAY_IDENTITY_DATABASE"]}
    async with cloud.another_sender(**wrong) as sender:
        await assert_unavailable(cloud, sender)


@pytest.mark.parametrize("status", [404, 409])
async def test_the_key_is_missing(cloud: Running, status: int) -> None:
    await cloud.fault(service="vault", operation="keys/encrypt", answer="status", status=status)
    try:
        async with cloud.another_sender() as sender:
            await assert_unavailable(cloud, sender)
    finally:
        await cloud.heal()


async def test_an_internal_error_is_answered_without_details(cloud: Running) -> None:
    await cloud.fault(service="vault", operation="keys/encrypt", answer="status", status=400)
    try:
        async with (
            cloud.another_sender() as sender,
            cloud.session() as session,
            session.post(f"{sender}/api/messages", data=b"planted-payload") as answer,
        ):
            assert answer.status == 500
            assert answer.content_type == "application/problem+json"
            text = await answer.text()
    finally:
        await cloud.heal()
    assert json.loads(text)["title"] == "Internal Server Error"
    assert not any(word in text for word in ("planted", "vault", "127.0.0.1", "Error:", "shared"))


async def test_what_the_queue_cannot_hold_is_too_large_whatever_the_limit_says(
    cloud: Running,
) -> None:
    async with (
        cloud.another_sender(RELAY_MAX_PAYLOAD_BYTES="2000000") as sender,
        cloud.session() as session,
        # Sealed, more than 1 MB: too large for a queue of either tier.
        session.post(f"{sender}/api/messages", data=bytes(1_000_000)) as answer,
    ):
        assert answer.status == 413
        problem = await answer.json()
    assert "does not fit into the queue" in problem["detail"]
    assert "limit" not in problem


@pytest.mark.long
async def test_the_largest_body_that_is_taken_can_be_retried_rejected_and_replayed(
    cloud: Running,
) -> None:
    async with (
        cloud.another_sender(RELAY_MAX_PAYLOAD_BYTES="2000000") as sender,
        cloud.session() as session,
    ):

        async def post(size: int) -> tuple[int, str]:
            headers = {"Content-Type": "a/" + "b" * 253, "traceparent": TRACE}
            url = f"{sender}/api/messages"
            async with session.post(url, data=bytes(size), headers=headers) as answer:
                return answer.status, str((await answer.json()).get("id"))

        await cloud.fault(service="partner", answer="status", status=503)
        low, high, largest = 100_000, 1_100_000, ""
        while high - low > 16:
            size = (low + high) // 2
            status, message_id = await post(size)
            assert status in (202, 413)
            low, high = (size, high) if status == 202 else (low, size)
            largest = message_id if status == 202 else largest
        await cloud.entry(largest, "retrying")
        await cloud.heal()
        await cloud.fault(service="partner", answer="status", status=400)
        await cloud.entry(largest, "rejected")
        await cloud.heal()
        (number,) = [one["sequence number"] for one in (await cloud.rejections())[largest]]
        assert (await ops(cloud, "replay", f"#{number}")).code == 0
        assert len((await cloud.received({largest}))[largest].body) == low


async def test_it_goes_on_when_the_bus_comes_back(cloud: Running) -> None:
    """One process, the whole way: taken, then refused for a while, then taken again."""
    async with cloud.session() as session:
        before = await cloud.send(session, b"before", "a/b")
        await cloud.control("POST", "/bus/stop")
        try:
            await assert_unavailable(cloud, cloud.endpoints["sender"])
        finally:
            await cloud.control("POST", "/bus/start")
        after = await cloud.send(session, b"after", "a/b")
    arrived = await cloud.received({before, after})
    assert [arrived[i].body for i in (before, after)] == [b"before", b"after"]
