"""The key is rotated while messages flow: none fails, and new ones carry the new version."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import aiohttp
import pytest

from shared.message.envelope import SealedMessage
from tests.pipeline.cloud_process import SNAPSHOT, Running, running, with_settings

PER_KEY = 50


@pytest.fixture
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """Give a cloud whose sender makes a new data key after every fifty messages."""
    folder = tmp_path_factory.mktemp("cloud")
    sender = {"RELAY_DATA_KEY_MESSAGES": str(PER_KEY)}
    with running(folder / "folder", with_settings(SNAPSHOT, folder, sender=sender)) as up:
        yield up


async def test_rotating_the_key_while_messages_flow(cloud: Running) -> None:
    before = await cloud.versions("payload")
    under_way, ids = asyncio.Event(), set()

    async def flow(session: aiohttp.ClientSession, number: int) -> None:
        for turn in range(60):
            ids.add(await cloud.send(session, b"%d %d" % (number, turn), "a/b"))
            if turn == 20:
                under_way.set()

    async with cloud.session() as session, asyncio.TaskGroup() as flows:
        for number in range(8):
            flows.create_task(flow(session, number))
        await under_way.wait()
        path = f"/keys/{cloud.vault('payload')}/payload/rotate"
        version = (await cloud.control("POST", path))["version"]
    assert len(await cloud.received(ids)) == 480
    assert version not in before
    assert await versions_on_queue(cloud) == {version}


async def versions_on_queue(cloud: Running) -> set[str]:
    """Send as many messages as two data keys seal; return which versions of the key they name."""
    await cloud.control("POST", "/apps/receiver/stop")
    async with cloud.session() as session:
        for _ in range(2 * PER_KEY):
            await cloud.send(session, b"later", "a/b")
    async with (
        cloud.bus("receiver", "receiver_bus") as client,
        client.get_queue_receiver("messages") as receiver,
    ):
        waiting = await receiver.peek_messages(2 * PER_KEY)
    tokens = [b"".join(message.body).decode() for message in waiting]
    assert len(tokens) == 2 * PER_KEY
    return {SealedMessage.from_token(t).wrapped.key_id.rpartition("/")[2] for t in tokens}
