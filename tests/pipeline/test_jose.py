"""Sealed messages are those of every JOSE library."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable

import pytest
from azure.servicebus import ServiceBusMessage
from cryptography.hazmat.primitives.asymmetric import rsa

from shared.message.envelope import SealedMessage
from shared.message.protected_header import MessageHeader
from tests import jose
from tests.pipeline.cloud_process import Running

PAYLOAD = b"\x00 opened elsewhere \xff"


@pytest.fixture
async def without_receiver(cloud: Running) -> AsyncIterator[None]:
    """Keep messages on the queue for as long as the test runs."""
    await cloud.control("POST", "/apps/receiver/stop")
    yield
    await cloud.control("POST", "/apps/receiver/start")


async def token_on_queue(cloud: Running, message_id: str) -> str:
    async with (
        cloud.bus("receiver", "receiver_bus") as client,
        client.get_queue_receiver("messages") as receiver,
    ):
        for _ in range(50):
            for message in await receiver.peek_messages(100):
                if message.message_id == message_id:
                    return b"".join(message.body).decode()
            await asyncio.sleep(0.05)
    raise AssertionError("the message is not on the queue")


async def test_other_libraries_open_what_the_sender_seals(
    cloud: Running, without_receiver: None
) -> None:
    async with cloud.session() as session:
        message_id = await cloud.send(session, PAYLOAD, "text/plain")
    token = await token_on_queue(cloud, message_id)
    version = SealedMessage.from_token(token).wrapped.key_id.rpartition("/")[2]
    key = cloud.private_key(version)
    assert jose.open_by_jwcrypto(token, key) == PAYLOAD
    assert jose.open_by_joserfc(token, key) == PAYLOAD


@pytest.mark.parametrize("seal_by", [jose.seal_by_jwcrypto, jose.seal_by_joserfc])
async def test_the_receiver_opens_what_other_libraries_seal(
    cloud: Running, seal_by: Callable[[bytes, MessageHeader, rsa.RSAPrivateKey, str], str]
) -> None:
    version = (await cloud.versions("payload"))[-1]
    key_url = (await cloud.environment("sender"))["RELAY_KEY_PAYLOAD"]
    context = MessageHeader(f"by-{seal_by.__name__}", "text/plain; charset=utf-8")
    token = seal_by(PAYLOAD, context, cloud.private_key(version), f"{key_url}/{version}")
    async with (
        cloud.bus("sender", "sender_bus") as client,
        client.get_queue_sender("messages") as sender,
    ):
        await sender.send_messages(ServiceBusMessage(token, message_id=context.message_id))
    got = (await cloud.received({context.message_id}))[context.message_id]
    assert (got.body, got.content_type, got.verified) == (PAYLOAD, context.content_type, True)
