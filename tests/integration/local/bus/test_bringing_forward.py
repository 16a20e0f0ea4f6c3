"""What waits is brought forward on a real queue, by the unmodified SDK."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta

import pytest
from azure.servicebus import ServiceBusMessage
from azure.servicebus.exceptions import ServiceBusAuthorizationError

from shared.apps.bring_forward import Forwarded, bring_forward
from shared.apps.forward_plan import ForwardPlan
from shared.azure.queues import QueueSender
from shared.azure.scheduled_queue import ScheduledQueue
from shared.message.message_id import MessageId, digest_suffix
from shared.message.ramp import Ramp
from shared.message.waiting import WaitingMessage
from tests.integration.local.bus.conftest import Bus

QUEUE = "unique"
FAST = Ramp.constant(1000)


def bus_id(number: int, body: bytes) -> str:
    return f"id-{number}.1{digest_suffix(body)}"


async def put(bus: Bus, count: int, seconds: float = 3600, body: bytes = b"sealed") -> None:
    due = datetime.now(UTC) + timedelta(seconds=seconds)
    async with bus.client() as client, client.get_queue_sender(QUEUE) as sender:
        await sender.send_messages(
            [
                ServiceBusMessage(
                    body,
                    message_id=bus_id(number, body),
                    scheduled_enqueue_time_utc=due,
                    application_properties={"relay-attempts": "2", "relay-waits-for": "attempt"},
                )
                for number in range(count)
            ]
        )


async def brought(bus: Bus, ramp: Ramp = FAST, name: str = "root") -> Forwarded:
    async with bus.client(name) as client, ScheduledQueue.opened(client, QUEUE) as queue:
        sender = QueueSender(client, QUEUE)
        return await bring_forward(queue, sender.send, ForwardPlan(datetime.now(UTC), ramp))


@asynccontextmanager
async def scheduled_queue(bus: Bus) -> AsyncIterator[ScheduledQueue]:
    async with bus.client() as client, ScheduledQueue.opened(client, QUEUE) as queue:
        yield queue


async def ids(bus: Bus) -> list[str]:
    async with bus.client() as client, client.get_queue_receiver(QUEUE) as receiver:
        found = [
            MessageId.parse(message.message_id)
            for message in await receiver.receive_messages(1000, max_wait_time=2)
        ]
    return sorted(f"{one.id} {one.hop}" for one in found if one)


async def test_what_waits_for_an_hour_is_received_at_once_and_once(bus: Bus) -> None:
    await put(bus, 250)
    assert await brought(bus) == Forwarded(moved=250)
    state = bus.server.state()[QUEUE]
    assert state.active + state.scheduled == 250
    await asyncio.sleep(0.3)
    assert await ids(bus) == sorted(f"id-{n} 2" for n in range(250))


async def test_pages_of_large_messages_are_all_moved(bus: Bus) -> None:
    await put(bus, 4, body=b"x" * 50_000)
    await put(bus, 30, body=b"y" * 5_000)
    assert (await brought(bus)).moved == 34


async def test_a_copy_waits_for_its_time(bus: Bus) -> None:
    await put(bus, 3)
    await brought(bus, Ramp.constant(0.1))
    async with scheduled_queue(bus) as queue:
        there = [WaitingMessage.from_peeked(one) for one in await queue.peek(1)]
    now = datetime.now(UTC)
    waits = [(one.due - now).total_seconds() for one in there if one]
    assert [round(seconds / 10) for seconds in waits] == [1, 2]


async def test_two_at_once_leave_one_message_of_each(bus: Bus) -> None:
    await put(bus, 120)
    await asyncio.gather(brought(bus), brought(bus))
    state = bus.server.state()[QUEUE]
    assert state.active + state.scheduled == 120
    assert await ids(bus) == sorted(f"id-{n} 2" for n in range(120))


async def test_of_messages_that_are_gone_the_others_are_cancelled(bus: Bus) -> None:
    await put(bus, 5)
    async with scheduled_queue(bus) as queue:
        numbers = [one.sequence_number or 0 for one in await queue.peek(1)]
        assert await queue.cancel(numbers[1:3]) == 0
        assert await queue.cancel(numbers) == 2
        assert await queue.cancel(numbers) == 5
        assert await queue.peek(1) == []


async def test_what_became_due_is_not_cancelled(bus: Bus) -> None:
    await put(bus, 1, seconds=0.2)
    async with scheduled_queue(bus) as queue:
        (message,) = await queue.peek(1)
        await asyncio.sleep(0.4)
        assert await queue.cancel([message.sequence_number or 0]) == 1
    assert await ids(bus) == ["id-0 1"]


@pytest.mark.parametrize("right", ["send", "listen"])
async def test_one_right_is_not_enough(bus: Bus, right: str) -> None:
    await put(bus, 1)
    bus.grants.rights.add(("half", right, QUEUE))  # type: ignore[arg-type]
    with pytest.raises(ServiceBusAuthorizationError):
        await brought(bus, name="half")
    assert bus.server.state()[QUEUE].scheduled == 1
