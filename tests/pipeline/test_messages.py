"""Messages go from HTTP to the partner as they are."""

from __future__ import annotations

import asyncio
import random

import pytest

from tests.pipeline.cloud_process import POLICIES_SNAPSHOT, Running

LIMIT = 190_000
CONTENT_TYPES = [
    "application/json",
    "application/octet-stream",
    "text/plain; charset=utf-8",
    'multipart/mixed; boundary="a b"',
    "application/x-www-form-urlencoded",
    "image/png",
    "application/vnd.example+json;v=2",
]


def payloads(count: int, seed: int) -> list[tuple[bytes, str]]:
    """Random bytes of random sizes from 1 byte to the limit, both included."""
    chance = random.Random(seed)  # noqa: S311 - repeatable, and no secret
    sizes = [1, 2, LIMIT - 1, LIMIT]
    sizes += [int(LIMIT ** chance.random()) for _ in range(count - len(sizes) - 20)]
    sizes += [chance.randint(1, LIMIT) for _ in range(count - len(sizes))]
    return [(chance.randbytes(size), chance.choice(CONTENT_TYPES)) for size in sizes]


async def carry(cloud: Running, messages: list[tuple[bytes, str]]) -> None:
    async with cloud.session() as session:
        together = asyncio.Semaphore(40)

        async def send(payload: bytes, content_type: str) -> str:
            async with together:
                return await cloud.send(session, payload, content_type)

        ids = await asyncio.gather(*(send(*message) for message in messages))
    arrived = await cloud.received(set(ids))
    assert len(arrived) == len(messages)
    for message_id, (payload, content_type) in zip(ids, messages, strict=True):
        got = arrived[message_id]
        assert got.body == payload
        assert got.content_type == content_type
        assert got.verified


async def test_a_thousand_random_payloads_arrive_byte_for_byte(cloud: Running) -> None:
    await carry(cloud, payloads(1000, seed=20261123))


# In the usual deployment a thousand do, above: to start that once more would show nothing else.
@pytest.mark.parametrize("each_cloud", [POLICIES_SNAPSHOT], indirect=True, scope="module")
async def test_messages_arrive_in_each_deployment(each_cloud: Running) -> None:
    await carry(each_cloud, payloads(60, seed=7))


async def test_the_trace_goes_along_and_an_invalid_one_does_not(cloud: Running) -> None:
    trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    async with cloud.session() as session:
        traced = await cloud.send(session, b"a", "a/b", traceparent=trace)
        broken = await cloud.send(session, b"a", "a/b", traceparent="00-0-0-00")
    arrived = await cloud.received({traced, broken})
    assert arrived[traced].traceparent == trace
    assert arrived[broken].traceparent is None


async def test_a_body_without_a_content_type_is_bytes(cloud: Running) -> None:
    url = f"{cloud.endpoints['sender']}/api/messages"
    async with (
        cloud.session(skip_auto_headers=["Content-Type"]) as session,
        session.post(url, data=b"bytes") as answer,
    ):
        assert answer.status == 202
        message_id = (await answer.json())["id"]
    arrived = await cloud.received({message_id})
    assert arrived[message_id].content_type == "application/octet-stream"
