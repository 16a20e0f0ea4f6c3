from __future__ import annotations

import base64
import hashlib
import io
import time
from collections.abc import AsyncIterator

import aiohttp
import pytest
from aiohttp.test_utils import TestServer

from local.partner import webhook as module
from local.partner.signatures import SigningSecret
from local.partner.webhook import MAX_BODY, PartnerWebhook, partner_app

KEY = "key-of-the-partner"


@pytest.fixture
def partner() -> PartnerWebhook:
    return PartnerWebhook()


@pytest.fixture
async def client(partner: PartnerWebhook) -> AsyncIterator[aiohttp.ClientSession]:
    async with (
        TestServer(partner_app(partner, KEY)) as server,
        aiohttp.ClientSession(
            server.make_url("/"), headers={"Authorization": f"Bearer {KEY}"}
        ) as session,
    ):
        yield session


def signed(secret: SigningSecret, body: bytes, message_id: str = "m1") -> dict[str, str]:
    timestamp = str(int(time.time()))
    return {
        "webhook-id": message_id,
        "webhook-timestamp": timestamp,
        "webhook-signature": f"v1,{secret.sign(message_id, timestamp, body).decode()}",
        "content-type": "image/png",
        "traceparent": "00-1-2-01",
    }


async def test_a_signed_message_is_taken_as_it_is(
    partner: PartnerWebhook, client: aiohttp.ClientSession
) -> None:
    body = bytes(range(256))
    async with client.post("/messages", data=body, headers=signed(partner.secrets[0], body)) as got:
        assert got.status == 204
    async with client.get("/received") as listed:
        [message] = await listed.json()
    assert base64.b64decode(message["body"]) == body
    assert (message["id"], message["content_type"], message["verified"]) == (
        "m1",
        "image/png",
        True,
    )
    assert (message["n"], message["traceparent"]) == (1, "00-1-2-01")


@pytest.mark.parametrize("given", ["", "Bearer", "Bearer ", f"Bearer {KEY}x", KEY, "Bearer \u00e9"])
@pytest.mark.parametrize("path", ["/received", "/received?ids", "/received?after=1"])
async def test_what_it_received_is_not_for_everybody(
    partner: PartnerWebhook, client: aiohttp.ClientSession, given: str, path: str
) -> None:
    body = b"planted"
    async with client.post("/messages", data=body, headers=signed(partner.secrets[0], body)) as got:
        assert got.status == 204
    async with client.get(path, headers={"Authorization": given}) as answer:
        assert answer.status == 401
        assert "m1" not in await answer.text()


async def test_an_unsigned_message_is_refused_but_shown(client: aiohttp.ClientSession) -> None:
    async with client.post("/elsewhere", data=b"x") as got:
        assert got.status == 401
    async with client.get("/received") as listed:
        [message] = await listed.json()
    assert message["verified"] is False


async def test_both_secrets_are_in_force_during_a_rotation(
    partner: PartnerWebhook, client: aiohttp.ClientSession
) -> None:
    partner.secrets.append(SigningSecret.generate())
    for secret in partner.secrets:
        async with client.post("/messages", data=b"x", headers=signed(secret, b"x")) as got:
            assert got.status == 204


async def test_the_list_goes_on_after_a_number(client: aiohttp.ClientSession) -> None:
    async with client.get("/received") as listed:
        assert await listed.json() == []
    for _ in range(3):
        await client.post("/messages", data=b"x")
    async with client.get("/received", params={"after": "1"}) as listed:
        assert [message["n"] for message in await listed.json()] == [2, 3]
    async with client.get("/received", params={"after": "x"}) as listed:
        assert listed.status == 400


async def test_a_body_may_not_be_larger_than_the_limit(client: aiohttp.ClientSession) -> None:
    async with client.post("/messages", data=io.BytesIO(b"x" * (MAX_BODY + 1))) as got:
        assert got.status == 413


async def test_the_oldest_make_room(
    partner: PartnerWebhook, client: aiohttp.ClientSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_MAX_KEPT_BYTES", 5)
    for body in (b"aa", b"bbb", b"c"):
        await client.post("/messages", data=body)
    assert [message.body for message in partner.received()] == [b"bbb", b"c"]
    assert partner.count == 3


async def test_repeats_are_counted_by_id_and_those_refused_are_not(
    partner: PartnerWebhook, client: aiohttp.ClientSession
) -> None:
    for message_id, body in (("m1", b"x"), ("m1", b"x"), ("m2", b"y"), ("m2", b"other")):
        headers = signed(partner.secrets[0], body, message_id)
        await client.post("/messages", data=body, headers=headers)
    await client.post("/messages", data=b"z", headers={"webhook-id": "unsigned"})
    async with client.get("/received?ids") as listed:
        assert await listed.json() == {
            "m1": told(2, b"x", same=True),
            "m2": told(2, b"y", same=False),
        }


async def test_no_ids_are_an_empty_object(client: aiohttp.ClientSession) -> None:
    async with client.get("/received?ids") as listed:
        assert await listed.json() == {}


async def test_the_oldest_ids_make_room(
    partner: PartnerWebhook, client: aiohttp.ClientSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_MAX_IDS", 2)
    for message_id in ("m1", "m2", "m3"):
        headers = signed(partner.secrets[0], b"x", message_id)
        await client.post("/messages", data=b"x", headers=headers)
    assert [message_id for message_id, _ in partner.accepted()] == ["m2", "m3"]


def told(times: int, body: bytes, *, same: bool) -> dict[str, object]:
    digest = hashlib.sha256(body).hexdigest()
    return {"times": times, "sha256": digest, "content_type": "image/png", "same": same}
