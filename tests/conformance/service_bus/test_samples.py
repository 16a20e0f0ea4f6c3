"""The documented first steps with queues, sessions and topics, synchronously and not."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest
from azure.servicebus import NEXT_AVAILABLE_SESSION, ServiceBusMessage
from azure.servicebus.management import SqlRuleFilter

from tests.conformance.target import Target

if TYPE_CHECKING:
    from azure.servicebus.management import ServiceBusAdministrationClient

# The SDK's own, where it reads rules.
pytestmark = pytest.mark.filterwarnings(
    "ignore:Testing an element's truth value:DeprecationWarning"
)


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


@pytest.mark.conformance("Service Bus queues", "send a batch")
def test_a_batch_is_sent_and_received(target: Target, queue: str) -> None:
    with target.service_bus() as client, client.get_queue_sender(queue) as sender:
        batch = sender.create_message_batch()
        for body in "abc":
            batch.add_message(ServiceBusMessage(body))
        sender.send_messages(batch)
        with client.get_queue_receiver(queue, max_wait_time=5) as receiver:
            received: list[str] = []
            while len(received) < 3:
                for message in receiver.receive_messages(3, max_wait_time=30):
                    receiver.complete_message(message)
                    received.append(str(message))
    assert received == ["a", "b", "c"]


@pytest.mark.conformance("Service Bus queues", "send a batch")
async def test_a_batch_is_sent_and_received_asynchronously(target: Target, queue: str) -> None:
    async with target.service_bus_async() as client, client.get_queue_sender(queue) as sender:
        batch = await sender.create_message_batch()
        for body in "abc":
            batch.add_message(ServiceBusMessage(body))
        await sender.send_messages(batch)
        async with client.get_queue_receiver(queue, max_wait_time=5) as receiver:
            received: list[str] = []
            while len(received) < 3:
                for message in await receiver.receive_messages(3, max_wait_time=30):
                    await receiver.complete_message(message)
                    received.append(str(message))
    assert received == ["a", "b", "c"]


@pytest.mark.conformance("Service Bus sessions", "accept the next session")
def test_a_session_is_accepted_and_has_a_state(
    target: Target, administration: ServiceBusAdministrationClient, unused: Callable[[str], str]
) -> None:
    queue = unused("queue")
    administration.create_queue(queue, requires_session=True)
    with target.service_bus() as client:
        with client.get_queue_sender(queue) as sender:
            sender.send_messages(ServiceBusMessage("a message", session_id="a session"))
        with client.get_queue_receiver(
            queue, session_id=NEXT_AVAILABLE_SESSION, max_wait_time=30
        ) as receiver:
            (received,) = receiver.receive_messages()
            assert receiver.session.session_id == received.session_id == "a session"
            receiver.session.set_state("opened")
            receiver.session.renew_lock()
            receiver.complete_message(received)
            assert receiver.session.get_state() == b"opened"
    administration.delete_queue(queue)


@pytest.mark.conformance(
    "Service Bus topics", "send to a topic, and receive from each subscription"
)
def test_a_topic_is_published_to_and_received_from(
    target: Target, unused: Callable[[str], str]
) -> None:
    topic = unused("topic")
    with target.bus_administration() as administration, target.service_bus() as client:
        administration.create_topic(topic)
        administration.create_subscription(topic, "all")
        administration.create_subscription(topic, "red")
        administration.create_rule(topic, "red", "red", filter=SqlRuleFilter("color = 'red'"))
        administration.delete_rule(topic, "red", "$Default")
        with client.get_topic_sender(topic) as sender:
            for color in ("red", "blue"):
                message = ServiceBusMessage(color, application_properties={"color": color})
                sender.send_messages(message)
        for subscription, expected in (("all", ["red", "blue"]), ("red", ["red"])):
            received: list[str] = []
            with client.get_subscription_receiver(topic, subscription) as receiver:
                while len(received) < len(expected):
                    for message in receiver.receive_messages(2, max_wait_time=30):
                        receiver.complete_message(message)
                        received.append(str(message))
            assert received == expected
        administration.delete_topic(topic)


@pytest.mark.conformance(
    "Service Bus topics", "send to a topic, and receive from each subscription"
)
async def test_a_topic_is_published_to_and_received_from_asynchronously(
    target: Target, unused: Callable[[str], str]
) -> None:
    topic = unused("topic")
    async with (
        target.bus_administration_async() as administration,
        target.service_bus_async() as client,
    ):
        await administration.create_topic(topic)
        await administration.create_subscription(topic, "all")
        async with client.get_topic_sender(topic) as sender:
            await sender.send_messages(ServiceBusMessage("a message"))
        async with client.get_subscription_receiver(topic, "all", max_wait_time=30) as receiver:
            received = await anext(receiver)
            assert str(received) == "a message"
            await receiver.complete_message(received)
        await administration.delete_topic(topic)
