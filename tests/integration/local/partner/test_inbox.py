"""The partner's queue, reached as its secret says, with the unmodified SDK."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator

import pytest
from azure.servicebus import ServiceBusMessage
from azure.servicebus.aio import ServiceBusClient
from azure.servicebus.exceptions import ServiceBusAuthorizationError, ServiceBusError

from local.partner.inbox import QUEUE, PartnerInbox


@pytest.fixture
def inbox() -> PartnerInbox:
    return PartnerInbox()


@pytest.fixture
async def secret(inbox: PartnerInbox) -> AsyncIterator[dict[str, str]]:
    port = await inbox.bus.listen("127.0.0.1", 0)
    yield json.loads(inbox.secret(f"sb://127.0.0.1:{port}"))
    await inbox.bus.close()


def client(connection: str) -> ServiceBusClient:
    return ServiceBusClient.from_connection_string(connection, retry_total=0)


async def test_the_secret_leads_to_the_queue(inbox: PartnerInbox, secret: dict[str, str]) -> None:
    assert (secret["kind"], secret["queue"]) == ("servicebus", QUEUE)
    async with client(secret["connection_string"]) as bus, bus.get_queue_sender(QUEUE) as sender:
        for name, body in (("1", b"\x00\xff"), ("2", b"")):
            await sender.send_messages(
                ServiceBusMessage(
                    body,
                    message_id=name,
                    content_type="image/png",
                    application_properties={"traceparent": "00-1-2-01"},
                )
            )
        await sender.send_messages(ServiceBusMessage("text", message_id="3"))
    first, second, third = inbox.arrived()
    assert (first.id, first.content_type, first.body) == ("1", "image/png", b"\x00\xff")
    assert (second.id, second.body, second.traceparent) == ("2", b"", "00-1-2-01")
    assert (third.content_type, third.traceparent) == ("", None)
    shown = first.as_json()
    assert (shown["n"], shown["id"], shown["body"]) == (1, "1", "AP8=")
    assert [one.id for one in inbox.arrived(after=2)] == ["3"]


async def test_the_secret_is_good_for_sending_only(secret: dict[str, str]) -> None:
    async with client(secret["connection_string"]) as bus:
        with pytest.raises(ServiceBusAuthorizationError):
            async with bus.get_queue_receiver(QUEUE) as receiver:
                await receiver.receive_messages(1, max_wait_time=1)


async def test_another_partner_s_key_is_refused(secret: dict[str, str]) -> None:
    mine, other = secret["connection_string"], json.loads(PartnerInbox().secret("sb://h"))
    key = other["connection_string"].split("SharedAccessKey=")[1]
    async with client(mine.split("SharedAccessKey=")[0] + f"SharedAccessKey={key}") as bus:
        with pytest.raises(ServiceBusError):
            async with bus.get_queue_sender(QUEUE) as sender:
                await sender.send_messages(ServiceBusMessage("x"))
