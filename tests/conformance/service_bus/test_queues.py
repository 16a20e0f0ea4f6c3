"""What a queue does with messages, by the asynchronous SDK."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest
from azure.servicebus import (
    ServiceBusMessage,
    ServiceBusReceivedMessage,
    ServiceBusReceiveMode,
    ServiceBusSubQueue,
    TransportType,
)
from azure.servicebus.amqp import AmqpAnnotatedMessage
from azure.servicebus.exceptions import (
    MessageNotFoundError,
    MessageSizeExceededError,
    ServiceBusError,
)

from tests.conformance.target import Target

if TYPE_CHECKING:
    from azure.servicebus.aio import ServiceBusClient, ServiceBusReceiver, ServiceBusSender

QUEUE = "queues"


@pytest.fixture
async def sender(client: ServiceBusClient) -> AsyncIterator[ServiceBusSender]:
    async with client.get_queue_sender(QUEUE) as made:
        yield made


@pytest.fixture
async def receiver(client: ServiceBusClient) -> AsyncIterator[ServiceBusReceiver]:
    async with client.get_queue_receiver(QUEUE, max_wait_time=30) as made:
        yield made


async def one(receiver: ServiceBusReceiver) -> ServiceBusReceivedMessage:
    (message,) = await receiver.receive_messages(1, max_wait_time=30)
    return message


@pytest.mark.conformance("Service Bus queues", "abandon")
async def test_an_abandoned_message_comes_again(
    sender: ServiceBusSender, receiver: ServiceBusReceiver
) -> None:
    await sender.send_messages(ServiceBusMessage("a"))
    await receiver.abandon_message(await one(receiver))
    message = await one(receiver)
    assert message.delivery_count == 1
    await receiver.complete_message(message)


@pytest.mark.conformance("Service Bus queues", "defer, and receive by sequence number")
async def test_a_deferred_message_is_received_by_its_number(
    sender: ServiceBusSender, receiver: ServiceBusReceiver
) -> None:
    await sender.send_messages(ServiceBusMessage("a"))
    message = await one(receiver)
    await receiver.defer_message(message)
    number = message.sequence_number
    assert number is not None
    (again,) = await receiver.receive_deferred_messages(number)
    await receiver.complete_message(again)
    with pytest.raises(MessageNotFoundError):
        await receiver.receive_deferred_messages(number)


@pytest.mark.conformance("Service Bus queues", "dead-letter, and receive dead letters")
async def test_a_dead_letter_says_why(
    client: ServiceBusClient, sender: ServiceBusSender, receiver: ServiceBusReceiver
) -> None:
    await sender.send_messages(ServiceBusMessage("a"))
    await receiver.dead_letter_message(
        await one(receiver), reason="reason", error_description="description"
    )
    async with client.get_queue_receiver(QUEUE, sub_queue=ServiceBusSubQueue.DEAD_LETTER) as dead:
        message = await one(dead)
        assert message.dead_letter_reason == "reason"
        assert message.dead_letter_error_description == "description"
        await dead.complete_message(message)


@pytest.mark.conformance("Service Bus queues", "schedule, and cancel")
async def test_a_scheduled_message_comes_when_it_is_due(
    sender: ServiceBusSender, receiver: ServiceBusReceiver
) -> None:
    due = datetime.now(UTC) + timedelta(seconds=2)
    cancelled, kept = await sender.schedule_messages(
        [ServiceBusMessage("cancelled"), ServiceBusMessage("kept")], due
    )
    await sender.cancel_scheduled_messages(cancelled)
    message = await one(receiver)
    assert (str(message), kept > cancelled) == ("kept", True)
    await receiver.complete_message(message)


@pytest.mark.conformance("Service Bus queues", "peek")
async def test_a_peeked_message_stays(
    sender: ServiceBusSender, receiver: ServiceBusReceiver
) -> None:
    await sender.send_messages(ServiceBusMessage("a"))
    assert [str(found) for found in await receiver.peek_messages(9)] == ["a"]
    await receiver.complete_message(await one(receiver))


@pytest.mark.conformance("Service Bus queues", "renew a lock")
async def test_a_lock_is_renewed(sender: ServiceBusSender, receiver: ServiceBusReceiver) -> None:
    await sender.send_messages(ServiceBusMessage("a"))
    message = await one(receiver)
    before = message.locked_until_utc
    assert before is not None
    assert await receiver.renew_message_lock(message) >= before
    await receiver.complete_message(message)


@pytest.mark.conformance("Service Bus queues", "receive and delete")
async def test_what_is_received_is_gone(
    client: ServiceBusClient, sender: ServiceBusSender, receiver: ServiceBusReceiver
) -> None:
    await sender.send_messages([ServiceBusMessage("a"), ServiceBusMessage("b")])
    async with client.get_queue_receiver(
        QUEUE, receive_mode=ServiceBusReceiveMode.RECEIVE_AND_DELETE
    ) as deleting:
        got: list[str] = []
        while len(got) < 2:
            got += map(str, await deleting.receive_messages(2, max_wait_time=30))
    assert got == ["a", "b"]
    assert await receiver.peek_messages(9) == []


@pytest.mark.conformance("Service Bus queues", "refuse a message that is too large")
async def test_a_message_that_is_too_large_is_refused(sender: ServiceBusSender) -> None:
    with pytest.raises(MessageSizeExceededError):
        await sender.send_messages(ServiceBusMessage("x" * 256 * 1024))


@pytest.mark.conformance("Service Bus queues", "send a received message again")
async def test_what_a_sender_noted_is_handed_on_and_sent_again(
    sender: ServiceBusSender, receiver: ServiceBusReceiver
) -> None:
    await sender.send_messages(
        AmqpAnnotatedMessage(
            data_body=b"a",
            delivery_annotations={"noted": 1},
            application_properties={"price": Decimal("1.2345")},
            footer={"foot": 2},
        )
    )
    for _ in range(2):
        message = await one(receiver)
        raw = message.raw_amqp_message
        assert raw.delivery_annotations is not None
        assert raw.delivery_annotations[b"noted"] == 1
        assert raw.application_properties == {b"price": Decimal("1.2345")}
        assert raw.footer == {b"foot": 2}
        assert raw.header is not None
        assert raw.header.durable is None
        await sender.send_messages(message)
        await receiver.complete_message(message)
    await receiver.complete_message(await one(receiver))


@pytest.mark.conformance("Service Bus queues", "every property of a message")
async def test_every_property_of_a_message_arrives(
    sender: ServiceBusSender, receiver: ServiceBusReceiver
) -> None:
    given: dict[str, Any] = {
        "content_type": "text/plain",
        "correlation_id": "correlation",
        "message_id": "message",
        "partition_key": "partition",
        "reply_to": "queue",
        "reply_to_session_id": "session",
        "subject": "subject",
        "time_to_live": timedelta(hours=2),
        "to": "somewhere",
    }
    own: dict[str | bytes, Any] = {
        "text": "é",
        "whole": 2**30,
        "part": 0.5,
        "flag": True,
        "uuid": uuid.uuid4(),
        "time": datetime(2020, 7, 5, 11, 12, 13),  # noqa: DTZ001 - the client's, without a zone
        "nothing": None,
    }
    await sender.send_messages(ServiceBusMessage("a", application_properties=own, **given))
    message = await one(receiver)
    await receiver.complete_message(message)
    assert {name: getattr(message, name) for name in given} == given
    got = message.application_properties or {}
    assert {str(name, "utf-8") for name in got if isinstance(name, bytes)} == set(own)
    assert (got[b"text"], got[b"uuid"]) == ("é".encode(), own["uuid"])
    assert (got[b"whole"], got[b"part"], got[b"flag"]) == (2**30, 0.5, True)
    assert message.enqueued_time_utc is not None
    assert message.expires_at_utc == message.enqueued_time_utc + timedelta(hours=2)


@pytest.mark.conformance("Service Bus queues", "every kind of body")
@pytest.mark.parametrize(
    "body",
    [
        {"data_body": [b"one", b"two"]},
        {"value_body": {b"a": [1, None, b"x"]}},
        {"sequence_body": [[1, 2], [3]]},
    ],
    ids=["data", "value", "sequence"],
)
async def test_every_kind_of_body_arrives(
    sender: ServiceBusSender, receiver: ServiceBusReceiver, body: dict[str, Any]
) -> None:
    sent = AmqpAnnotatedMessage(**body)
    await sender.send_messages(sent)
    message = await one(receiver)
    await receiver.complete_message(message)
    got = message.raw_amqp_message
    assert got.body_type == sent.body_type
    (wanted,) = body.values()
    assert got.body == wanted if "value_body" in body else list(got.body) == wanted


@pytest.mark.conformance("Service Bus queues", "refuse what does not exist")
async def test_a_queue_that_does_not_exist_is_refused(client: ServiceBusClient) -> None:
    with pytest.raises(ServiceBusError):
        await client.get_queue_sender("nowhere").send_messages(ServiceBusMessage("a"))


@pytest.mark.conformance("Service Bus queues", "refuse a session receiver without sessions")
async def test_a_queue_without_sessions_has_no_session_receiver(client: ServiceBusClient) -> None:
    with pytest.raises(ServiceBusError, match="does not require sessions"):
        await client.get_queue_receiver(QUEUE, session_id="a").receive_messages()


@pytest.mark.conformance("Service Bus connections", "AMQP over WebSockets")
async def test_a_message_goes_by_websocket(target: Target) -> None:
    async with (
        target.service_bus_async(transport_type=TransportType.AmqpOverWebsocket) as client,
        client.get_queue_sender(QUEUE) as sender,
        client.get_queue_receiver(QUEUE) as receiver,
    ):
        await sender.send_messages(ServiceBusMessage("a"))
        await receiver.complete_message(await one(receiver))
