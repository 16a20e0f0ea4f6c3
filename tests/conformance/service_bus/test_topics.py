"""What a topic and its subscriptions do with messages, by the asynchronous SDK."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from azure.servicebus import (
    ServiceBusMessage,
    ServiceBusReceivedMessage,
    ServiceBusReceiveMode,
    ServiceBusSubQueue,
)
from azure.servicebus.exceptions import ServiceBusError

from tests.conformance.target import Target

if TYPE_CHECKING:
    from azure.servicebus.aio import ServiceBusClient, ServiceBusReceiver
    from azure.servicebus.management import ServiceBusAdministrationClient


@pytest.fixture
def subscription(administration: ServiceBusAdministrationClient, topic: str) -> str:
    """Give a subscription with the properties and the rule that Azure gives one."""
    administration.create_subscription(topic, "one")
    return "one"


async def publish(client: ServiceBusClient, topic: str, *messages: ServiceBusMessage) -> None:
    async with client.get_topic_sender(topic) as sender:
        await sender.send_messages(list(messages))


async def take(receiver: ServiceBusReceiver, count: int) -> list[ServiceBusReceivedMessage]:
    """Receive and complete so many messages."""
    taken: list[ServiceBusReceivedMessage] = []
    while len(taken) < count:
        for message in await receiver.receive_messages(count - len(taken), max_wait_time=30):
            await receiver.complete_message(message)
            taken.append(message)
    return taken


@pytest.mark.conformance(
    "Service Bus topics", "send to a topic, and receive from each subscription"
)
async def test_each_subscription_has_a_copy(
    client: ServiceBusClient,
    administration: ServiceBusAdministrationClient,
    topic: str,
    subscription: str,
) -> None:
    administration.create_subscription(topic, "two")
    await publish(client, topic, ServiceBusMessage("a"), ServiceBusMessage("b"))
    for name in (subscription, "two"):
        async with client.get_subscription_receiver(topic, name) as receiver:
            assert [str(one) for one in await take(receiver, 2)] == ["a", "b"]
            assert await receiver.peek_messages(9) == []


@pytest.mark.conformance(
    "Service Bus topics", "abandon, and dead-letter, in one subscription alone"
)
async def test_a_copy_is_settled_for_itself(
    client: ServiceBusClient,
    administration: ServiceBusAdministrationClient,
    topic: str,
    subscription: str,
) -> None:
    administration.create_subscription(topic, "two")
    await publish(client, topic, ServiceBusMessage("a"))
    async with client.get_subscription_receiver(topic, subscription) as receiver:
        (message,) = await receiver.receive_messages(1, max_wait_time=30)
        await receiver.abandon_message(message)
        (message,) = await receiver.receive_messages(1, max_wait_time=30)
        assert message.delivery_count == 1
        await receiver.dead_letter_message(message, reason="reason", error_description="why")
    async with client.get_subscription_receiver(
        topic, subscription, sub_queue=ServiceBusSubQueue.DEAD_LETTER
    ) as dead_letters:
        (dead,) = await take(dead_letters, 1)
    assert (dead.dead_letter_reason, dead.dead_letter_error_description) == ("reason", "why")
    async with client.get_subscription_receiver(topic, "two") as receiver:
        (other,) = await take(receiver, 1)
    assert other.delivery_count == 0


@pytest.mark.conformance("Service Bus topics", "defer, renew a lock, peek, receive and delete")
async def test_a_subscription_is_received_from_as_a_queue_is(
    client: ServiceBusClient, topic: str, subscription: str
) -> None:
    await publish(client, topic, ServiceBusMessage("a"), ServiceBusMessage("b"))
    async with client.get_subscription_receiver(topic, subscription) as receiver:
        assert [str(one) for one in await receiver.peek_messages(9)] == ["a", "b"]
        (message,) = await receiver.receive_messages(1, max_wait_time=30)
        before = message.locked_until_utc
        assert before is not None
        assert await receiver.renew_message_lock(message) >= before
        await receiver.defer_message(message)
        assert message.sequence_number is not None
        (again,) = await receiver.receive_deferred_messages(message.sequence_number)
        await receiver.complete_message(again)
    async with client.get_subscription_receiver(
        topic, subscription, receive_mode=ServiceBusReceiveMode.RECEIVE_AND_DELETE
    ) as deleting:
        (last,) = await deleting.receive_messages(1, max_wait_time=30)
        assert str(last) == "b"
        assert await deleting.peek_messages(9) == []


@pytest.mark.conformance("Service Bus topics", "schedule, and cancel")
async def test_a_message_is_scheduled_at_a_topic(
    client: ServiceBusClient, topic: str, subscription: str
) -> None:
    async with client.get_topic_sender(topic) as sender:
        due = datetime.now(UTC) + timedelta(seconds=1)
        (cancelled,) = await sender.schedule_messages(
            ServiceBusMessage("cancelled"), datetime.now(UTC) + timedelta(hours=1)
        )
        await sender.cancel_scheduled_messages(cancelled)
        await sender.schedule_messages(ServiceBusMessage("kept"), due)
    async with client.get_subscription_receiver(topic, subscription) as receiver:
        (message,) = await take(receiver, 1)
    assert str(message) == "kept"


@pytest.mark.conformance("Service Bus topics", "detect duplicates at the topic")
async def test_a_duplicate_reaches_no_subscription(
    client: ServiceBusClient,
    administration: ServiceBusAdministrationClient,
    make_topic: Callable[..., str],
) -> None:
    topic = make_topic(requires_duplicate_detection=True)
    administration.create_subscription(topic, "one")
    for body in ("first", "again"):
        await publish(client, topic, ServiceBusMessage(body, message_id="a"))
    await publish(client, topic, ServiceBusMessage("other", message_id="b"))
    async with client.get_subscription_receiver(topic, "one") as receiver:
        assert [str(one) for one in await take(receiver, 2)] == ["first", "other"]


@pytest.mark.conformance("Service Bus topics", "sessions in a subscription")
async def test_a_subscription_has_sessions(
    client: ServiceBusClient, administration: ServiceBusAdministrationClient, topic: str
) -> None:
    administration.create_subscription(topic, "one", requires_session=True)
    messages = [ServiceBusMessage(body, session_id=body[0]) for body in ("a1", "b1", "a2")]
    await publish(client, topic, *messages)
    async with client.get_subscription_receiver(topic, "one", session_id="a") as receiver:
        assert [str(one) for one in await take(receiver, 2)] == ["a1", "a2"]
        await receiver.session.set_state(b"half way")
        assert await receiver.session.get_state() == b"half way"
    async with client.get_subscription_receiver(topic, "one", session_id="b") as receiver:
        assert [str(one) for one in await take(receiver, 1)] == ["b1"]


@pytest.mark.conformance("Service Bus topics", "forward from a subscription to a queue")
async def test_a_subscription_forwards(
    client: ServiceBusClient,
    administration: ServiceBusAdministrationClient,
    topic: str,
    queue: str,
) -> None:
    administration.create_subscription(topic, "one", forward_to=queue)
    await publish(client, topic, ServiceBusMessage("a"))
    async with client.get_queue_receiver(queue) as receiver:
        (message,) = await take(receiver, 1)
    assert str(message) == "a"


@pytest.mark.conformance("Service Bus topics", "expire, by the shorter of three times to live")
async def test_a_copy_expires_into_the_dead_letters(
    client: ServiceBusClient, administration: ServiceBusAdministrationClient, topic: str
) -> None:
    administration.create_subscription(
        topic,
        "one",
        default_message_time_to_live=timedelta(seconds=1),
        dead_lettering_on_message_expiration=True,
    )
    message = ServiceBusMessage("a", time_to_live=timedelta(hours=1))
    await publish(client, topic, message)
    async with client.get_subscription_receiver(
        topic, "one", sub_queue=ServiceBusSubQueue.DEAD_LETTER
    ) as receiver:
        (dead,) = await take(receiver, 1)
    assert dead.dead_letter_reason == "TTLExpiredException"


@pytest.mark.conformance("Service Bus topics", "refuse what does not exist")
async def test_what_does_not_exist_is_refused(target: Target, topic: str) -> None:
    async with target.service_bus_async(retry_total=0) as client:
        with pytest.raises(ServiceBusError):
            await client.get_subscription_receiver(topic, "nowhere").receive_messages()
        with pytest.raises(ServiceBusError):
            await publish(client, "nowhere", ServiceBusMessage("a"))


@pytest.mark.conformance("Service Bus deployments", "topics, subscriptions and rules")
async def test_a_deployed_topic_is_as_deployed(
    client: ServiceBusClient, administration: ServiceBusAdministrationClient
) -> None:
    topic = administration.get_topic("deployed")
    assert topic.user_metadata == "of the deployment"
    # Duplicates are detected, by ids that another run has not used.
    properties: list[dict[str | bytes, Any]] = [{"size": 6}, {"size": 4}, {"urgency": "high"}]
    ids = [uuid.uuid4().hex for _ in properties]
    messages = [
        ServiceBusMessage(
            body, message_id=message_id, subject="order", application_properties=given
        )
        for body, message_id, given in zip("abc", ids, properties, strict=True)
    ]
    await publish(client, "deployed", *messages)
    await publish(client, "deployed", ServiceBusMessage("again", message_id=ids[0]))
    async with client.get_subscription_receiver("deployed", "everything") as receiver:
        assert [str(one) for one in await take(receiver, 3)] == ["a", "b", "c"]
        assert await receiver.peek_messages(9) == []
    async with client.get_subscription_receiver("deployed", "orders") as receiver:
        found = {str(one): one.application_properties for one in await take(receiver, 2)}
        assert await receiver.peek_messages(9) == []
    assert found == {
        "a": {b"size": 6, b"large": True, b"RuleName": b"$Default"},
        "c": {b"urgency": b"high"},
    }
