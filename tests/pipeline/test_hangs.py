"""What never answers keeps no call for good; and what else the apps answer at once."""

from __future__ import annotations

import aiohttp
import pytest

from tests.pipeline.cloud_process import Running

pytestmark = pytest.mark.long


@pytest.mark.long
async def test_a_vault_that_hangs_keeps_the_message_waiting_and_not_the_call(
    cloud: Running,
) -> None:
    await cloud.fault(service="vault", answer="hang", operation="keys/decrypt")
    async with cloud.session() as session:
        message_id = await cloud.send(session, b"x", "a/b")
    entry = await cloud.entry(message_id, "retrying")
    assert "no answer" in entry["detail"]
    assert entry["attempts"] == 0
    await cloud.heal()
    await cloud.entry(message_id, "delivered", seconds=120)


async def test_an_id_in_capitals_finds_its_message(cloud: Running) -> None:
    async with cloud.session() as session:
        message_id = await cloud.send(session, b"x", "a/b")
    await cloud.entry(message_id, "delivered")
    status, content = await cloud.ledger(f"/{message_id.upper()}")
    assert (status, content["id"]) == (200, message_id)


async def test_what_answers_get_answers_head_alike_without_a_body(cloud: Running) -> None:
    async with cloud.session() as session:
        message_id = await cloud.send(session, b"x", "a/b")
    await cloud.entry(message_id, "delivered")
    paths = {
        "/api/messages": 200,
        "/api/messages?limit=0": 400,
        f"/api/messages/{message_id}": 200,
        "/api/messages/0b3d5b0e-6f5c-4a6e-8f2e-0b3d5b0e6f5c": 404,
    }
    async with aiohttp.ClientSession() as session:
        for path, status in paths.items():
            url = cloud.endpoints["tracker"] + path
            for key in (cloud.keys("tracker").host, "wrong"):
                found = []
                for method in ("GET", "HEAD"):
                    headers = {"x-functions-key": key}
                    async with session.request(method, url, headers=headers) as answer:
                        found.append((answer.status, answer.content_type))
                        assert method == "GET" or await answer.read() == b""
                assert found[0] == found[1]
                assert found[0][0] == (status if key != "wrong" else 401)


async def test_health_is_also_asked_for_without_a_body(cloud: Running) -> None:
    async with cloud.session() as session:
        for app in ("sender", "receiver", "tracker"):
            url = f"{cloud.endpoints[app]}/api/health"
            async with session.head(url) as answer:
                assert answer.status == 200
                assert await answer.read() == b""
            async with session.get(url) as answer:
                assert (await answer.json())["apps"] == [app]
