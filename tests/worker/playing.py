"""A test in the place of the host: it takes messages, calls functions, and settles."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from azure.servicebus import ServiceBusMessage, ServiceBusReceivedMessage

from tests.pipeline.cloud_process import Running
from tests.worker.azure_worker import Worker, running

APPS = ("sender", "receiver", "tracker")
_RECEIVES = {
    "messages": ("receiver", "receiver_bus"),
    "dead-letters": ("receiver", "receiver_bus"),
    "receipts": ("tracker", "tracker_bus"),
}
_SENDS = {"messages": ("sender", "sender_bus"), "receipts": ("receiver", "receiver_bus")}


async def stop_apps(cloud: Running) -> None:
    """Stop the cloud's own apps."""
    for app in APPS:
        await cloud.control("POST", f"/apps/{app}/stop")


@asynccontextmanager
async def app(
    cloud: Running, folder: Path, name: str, log: Path, alone: Path | None = None
) -> AsyncIterator[Worker]:
    """Run one app's package with what the cloud gives that app."""
    async with running(folder, await cloud.environment(name), log, alone) as worker:
        assert "refused" not in worker.indexed, worker.indexed
        yield worker


@asynccontextmanager
async def taken(
    cloud: Running, queue: str, count: int
) -> AsyncIterator[Sequence[ServiceBusReceivedMessage]]:
    """Lock so many messages, and complete them when done, as the host does."""
    async with cloud.bus(*_RECEIVES[queue]) as client, client.get_queue_receiver(queue) as receiver:
        found: list[ServiceBusReceivedMessage] = []
        async with asyncio.timeout(60):
            while len(found) < count:
                found += await receiver.receive_messages(count - len(found), max_wait_time=5)
        yield found
        for one in found:
            await receiver.complete_message(one)


async def put(cloud: Running, queue: str, *messages: ServiceBusMessage) -> None:
    """Send messages, in this order."""
    async with cloud.bus(*_SENDS[queue]) as client, client.get_queue_sender(queue) as sender:
        for message in messages:
            await sender.send_messages(message)


async def deliver(cloud: Running, queue: str, times: int) -> None:
    """Take the next message so many times, and give it back."""
    async with cloud.bus(*_RECEIVES[queue]) as client, client.get_queue_receiver(queue) as receiver:
        for _ in range(times):
            (message,) = await receiver.receive_messages(1, max_wait_time=30)
            await receiver.abandon_message(message)


async def give_up(cloud: Running, queue: str, reason: str) -> None:
    """Take the next message, and have the bus give it up for a reason."""
    async with cloud.bus(*_RECEIVES[queue]) as client, client.get_queue_receiver(queue) as receiver:
        (message,) = await receiver.receive_messages(1, max_wait_time=30)
        await receiver.dead_letter_message(message, reason=reason)


async def main_job(cloud: Running, folder: Path, logs: Path, alone: Path | None = None) -> None:
    """Let a message go from its caller to the partner and into the ledger."""
    payload = bytes(range(256))
    async with app(cloud, folder, "sender", logs / "sender", alone) as sender:
        answer = await sender.http("send", "POST", payload, content_type="image/png")
        assert answer.status == 202, answer
    message_id = answer.json["id"]
    async with (
        app(cloud, folder, "receiver", logs / "receiver", alone) as receiver,
        taken(cloud, "messages", 1) as (message,),
    ):
        assert (await receiver.receive(message)).ok
    found = (await cloud.received({message_id}))[message_id]
    assert (found.body, found.content_type, found.verified) == (payload, "image/png", True)
    async with (
        app(cloud, folder, "tracker", logs / "tracker", alone) as tracker,
        taken(cloud, "receipts", 1) as batch,
    ):
        assert (await tracker.record(*batch)).ok
        answer = await tracker.http("status", params={"id": message_id})
    assert (answer.json["state"], answer.json["size"]) == ("delivered", len(payload))
