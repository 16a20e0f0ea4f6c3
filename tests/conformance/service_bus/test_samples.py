"""The documented first steps with a queue, by the synchronous and asynchronous SDKs."""

from __future__ import annotations

import pytest
from azure.servicebus import ServiceBusMessage

from tests.conformance.target import Target


@pytest.mark.conformance("Service Bus queues", "send, receive and complete")
def test_a_message_is_sent_and_received(target: Target) -> None:
    with (
        target.service_bus() as client,
        client.get_queue_sender("samples") as sender,
        client.get_queue_receiver("samples", max_wait_time=30) as receiver,
    ):
        sender.send_messages(ServiceBusMessage("a message"))
        received = next(receiver)
        assert str(received) == "a message"
        receiver.complete_message(received)


@pytest.mark.conformance("Service Bus queues", "send, receive and complete")
async def test_a_message_is_sent_and_received_asynchronously(target: Target) -> None:
    async with (
        target.service_bus_async() as client,
        client.get_queue_sender("samples-async") as sender,
        client.get_queue_receiver("samples-async", max_wait_time=30) as receiver,
    ):
        await sender.send_messages(ServiceBusMessage("a message"))
        received = await anext(receiver)
        assert str(received) == "a message"
        await receiver.complete_message(received)
