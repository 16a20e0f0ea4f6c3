"""Message sessions by the unmodified SDK."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from azure.servicebus import (
    NEXT_AVAILABLE_SESSION,
    ServiceBusMessage,
    ServiceBusReceivedMessage,
    ServiceBusSubQueue,
)
from azure.servicebus.exceptions import (
    OperationTimeoutError,
    ServiceBusError,
    SessionCannotBeLockedError,
    SessionLockLostError,
)

if TYPE_CHECKING:
    from azure.servicebus.aio import ServiceBusClient, ServiceBusReceiver

    from tests.integration.local.bus.conftest import Bus

QUEUE, BRIEF = "sessions", "brief-sessions"


async def send(client: ServiceBusClient, queue: str, session_id: str, *bodies: str) -> None:
    async with client.get_queue_sender(queue) as sender:
        await sender.send_messages(
            [ServiceBusMessage(body, session_id=session_id) for body in bodies]
        )


async def receive(receiver: ServiceBusReceiver, count: int) -> list[ServiceBusReceivedMessage]:
    got: list[ServiceBusReceivedMessage] = []
    while len(got) < count:
        more = await receiver.receive_messages(count - len(got), max_wait_time=5)
        assert more, "nothing came"
        got += more
    return got


async def use_for_ever(receiver: ServiceBusReceiver) -> None:
    while True:
        await receiver.session.get_state()


async def test_the_messages_of_a_session_come_in_order_to_one_receiver(bus: Bus) -> None:
    async with bus.client() as client:
        await send(client, QUEUE, "one", "a", "b", "c")
        await send(client, QUEUE, "two", "x")
        async with client.get_queue_receiver(QUEUE, session_id="one") as receiver:
            got = await receive(receiver, 3)
            assert [(str(one), one.session_id) for one in got] == [
                ("a", "one"),
                ("b", "one"),
                ("c", "one"),
            ]
            async with bus.client() as other:
                with pytest.raises(SessionCannotBeLockedError):
                    await other.get_queue_receiver(QUEUE, session_id="one").receive_messages()
            for one in got:
                await receiver.complete_message(one)
    counts = bus.server.state()[QUEUE]
    assert (counts.active, counts.locked) == (1, 0)


async def test_the_next_available_session_is_waited_for(bus: Bus) -> None:
    async with bus.client() as client:
        none = client.get_queue_receiver(QUEUE, session_id=NEXT_AVAILABLE_SESSION, max_wait_time=1)
        with pytest.raises(OperationTimeoutError):
            await none.receive_messages(1)
        await send(client, QUEUE, "late", "a")
        async with client.get_queue_receiver(
            QUEUE, session_id=NEXT_AVAILABLE_SESSION, max_wait_time=5
        ) as receiver:
            (message,) = await receive(receiver, 1)
            assert (receiver.session.session_id, str(message)) == ("late", "a")
            await receiver.complete_message(message)


async def test_a_session_has_a_state_and_a_lock_that_is_renewed(bus: Bus) -> None:
    async with bus.client() as client:
        async with client.get_queue_receiver(QUEUE, session_id="") as receiver:
            assert await receiver.session.get_state() is None
            await receiver.session.set_state(b"half way")
            until = receiver.session.locked_until_utc
            assert until is not None
            assert await receiver.session.renew_lock() >= until
        async with client.get_queue_receiver(QUEUE, session_id="") as receiver:
            assert await receiver.session.get_state() == b"half way"
            await receiver.session.set_state(None)
            assert await receiver.session.get_state() is None


async def test_a_session_that_is_given_back_begins_again(bus: Bus) -> None:
    async with bus.client() as client:
        await send(client, QUEUE, "one", "a", "b")
        for _ in range(2):
            async with client.get_queue_receiver(QUEUE, session_id="one") as receiver:
                got = await receive(receiver, 2)
                assert [(str(one), one.delivery_count) for one in got] == [("a", 0), ("b", 0)]


async def test_a_lost_session_lock_is_an_error_for_what_was_received(bus: Bus) -> None:
    async with bus.client() as client:
        await send(client, BRIEF, "one", "a")
        async with client.get_queue_receiver(BRIEF, session_id="one") as receiver:
            (message,) = await receive(receiver, 1)
            with pytest.raises(SessionLockLostError):
                await use_for_ever(receiver)
            with pytest.raises(SessionLockLostError):
                await receiver.complete_message(message)
        async with client.get_queue_receiver(BRIEF, session_id="one") as receiver:
            (message,) = await receive(receiver, 1)
            assert message.delivery_count == 1


async def test_deferred_scheduled_and_dead_lettered_messages_of_a_session(bus: Bus) -> None:
    async with bus.client() as client:
        async with client.get_queue_sender(QUEUE) as sender:
            soon = datetime.now(UTC) + timedelta(seconds=0.3)
            await sender.schedule_messages(ServiceBusMessage("a", session_id="one"), soon)
        async with client.get_queue_receiver(QUEUE, session_id="one") as receiver:
            (message,) = await receive(receiver, 1)
            await receiver.defer_message(message)
            assert [str(one) for one in await receiver.peek_messages(9, sequence_number=1)] == ["a"]
            (message,) = await receiver.receive_deferred_messages(message.sequence_number or 0)
            await receiver.dead_letter_message(message, reason="Bad")
        async with client.get_queue_receiver(
            QUEUE, sub_queue=ServiceBusSubQueue.DEAD_LETTER
        ) as dead:
            (message,) = await receive(dead, 1)
            assert message.dead_letter_reason == "Bad"


async def test_what_does_not_fit_a_queue_with_sessions_is_refused(bus: Bus) -> None:
    async with bus.client() as client:
        async with client.get_queue_sender(QUEUE) as sender:
            with pytest.raises(ServiceBusError, match="SessionId was not set"):
                await sender.send_messages(ServiceBusMessage("a"))
        with pytest.raises(ServiceBusError, match="non-sessionful message receiver"):
            await client.get_queue_receiver(QUEUE).receive_messages()
        with pytest.raises(ServiceBusError, match="does not require sessions"):
            await client.get_queue_receiver("plain", session_id="one").receive_messages()


async def test_sessions_are_listed(bus: Bus) -> None:
    async with bus.client() as client:
        assert [one async for one in client.list_queue_sessions(QUEUE)] == []
        for name in ("b", "a"):
            await send(client, QUEUE, name, "x")
        assert [one async for one in client.list_queue_sessions(QUEUE)] == ["a", "b"]
        since = datetime.now(UTC)
        async with client.get_queue_receiver(QUEUE, session_id="s") as receiver:
            await receiver.session.set_state(b"x")
        found = client.list_queue_sessions(QUEUE, state_updated_after=since)
        assert [one async for one in found] == ["s"]
