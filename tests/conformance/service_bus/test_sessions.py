"""Message sessions, by the asynchronous SDK and the synchronous one."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING

import pytest
from azure.servicebus import NEXT_AVAILABLE_SESSION, ServiceBusMessage
from azure.servicebus.exceptions import (
    OperationTimeoutError,
    ServiceBusError,
    SessionCannotBeLockedError,
)

from tests.conformance.target import Target

if TYPE_CHECKING:
    from azure.servicebus.aio import ServiceBusClient

QUEUE = "sessions"


@pytest.fixture
def session_id() -> str:
    return uuid.uuid4().hex


async def send(client: ServiceBusClient, session_id: str, *bodies: str) -> None:
    async with client.get_queue_sender(QUEUE) as sender:
        await sender.send_messages(
            [ServiceBusMessage(body, session_id=session_id) for body in bodies]
        )


async def drain(client: ServiceBusClient, session_id: str, count: int) -> list[str]:
    """Receive and complete so many messages of a session."""
    got: list[str] = []
    async with client.get_queue_receiver(QUEUE, session_id=session_id) as receiver:
        while len(got) < count:
            for message in await receiver.receive_messages(count, max_wait_time=30):
                got.append(str(message))
                await receiver.complete_message(message)
    return got


@pytest.mark.conformance("Service Bus sessions", "receive a session in order")
async def test_a_session_is_received_in_order(client: ServiceBusClient, session_id: str) -> None:
    await send(client, session_id, "a", "b", "c")
    assert await drain(client, session_id, 3) == ["a", "b", "c"]


@pytest.mark.conformance("Service Bus sessions", "receive a session in order")
def test_a_session_is_received_in_order_synchronously(target: Target, session_id: str) -> None:
    with (
        target.service_bus() as client,
        client.get_queue_sender(QUEUE) as sender,
        client.get_queue_receiver(QUEUE, session_id=session_id, max_wait_time=30) as receiver,
    ):
        sender.send_messages([ServiceBusMessage(body, session_id=session_id) for body in "ab"])
        for body in "ab":
            message = next(receiver)
            assert (str(message), message.session_id) == (body, session_id)
            receiver.complete_message(message)


@pytest.mark.conformance("Service Bus sessions", "accept the next session")
async def test_the_next_session_is_accepted(client: ServiceBusClient, session_id: str) -> None:
    with pytest.raises(OperationTimeoutError):
        await client.get_queue_receiver(
            QUEUE, session_id=NEXT_AVAILABLE_SESSION, max_wait_time=1
        ).receive_messages()
    await send(client, session_id, "a")
    async with client.get_queue_receiver(
        QUEUE, session_id=NEXT_AVAILABLE_SESSION, max_wait_time=30
    ) as receiver:
        (message,) = await receiver.receive_messages()
        assert receiver.session.session_id == session_id
        await receiver.complete_message(message)


@pytest.mark.conformance("Service Bus sessions", "lock a session for one receiver")
async def test_a_session_has_one_receiver(client: ServiceBusClient, session_id: str) -> None:
    async with client.get_queue_receiver(QUEUE, session_id=session_id):
        with pytest.raises(SessionCannotBeLockedError):
            await client.get_queue_receiver(QUEUE, session_id=session_id).receive_messages()


@pytest.mark.conformance("Service Bus sessions", "get and set a state, and renew a lock")
async def test_a_session_has_a_state_and_a_lock(client: ServiceBusClient, session_id: str) -> None:
    async with client.get_queue_receiver(QUEUE, session_id=session_id) as receiver:
        await receiver.session.set_state(b"half way")
        before = receiver.session.locked_until_utc
        assert before is not None
        assert await receiver.session.renew_lock() >= before
    async with client.get_queue_receiver(QUEUE, session_id=session_id) as receiver:
        assert await receiver.session.get_state() == b"half way"
        await receiver.session.set_state(None)
        assert await receiver.session.get_state() is None


@pytest.mark.conformance("Service Bus sessions", "list sessions")
async def test_sessions_with_messages_are_listed(client: ServiceBusClient, session_id: str) -> None:
    await send(client, session_id, "a")
    assert session_id in [one async for one in client.list_queue_sessions(QUEUE)]
    assert await drain(client, session_id, 1) == ["a"]


@pytest.mark.conformance("Service Bus sessions", "refuse a message without a session id")
async def test_a_message_needs_a_session_id(client: ServiceBusClient) -> None:
    async with client.get_queue_sender(QUEUE) as sender:
        with pytest.raises(ServiceBusError, match="SessionId was not set"):
            await sender.send_messages(ServiceBusMessage("a"))


@pytest.mark.conformance("Service Bus sessions", "refuse a receiver without a session")
async def test_a_receiver_needs_a_session(client: ServiceBusClient) -> None:
    with pytest.raises(ServiceBusError, match="non-sessionful message receiver"):
        await client.get_queue_receiver(QUEUE).receive_messages()
