"""The partner's queue in a cloud: its arrivals are events, and it has the partner's faults."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator

import pytest
from azure.servicebus import ServiceBusMessage
from azure.servicebus.aio import ServiceBusClient
from azure.servicebus.exceptions import ServiceBusServerBusyError

from local.faults.faults import Fault, Faults
from local.partner.inbox import NAMESPACE, QUEUE, PartnerInbox
from local.runtime.events import CloudEvent, CloudEvents, PartnerAnswered
from local.runtime.partner_queue import ArrivalEvents, FaultyInbox


class AtQueue:
    """The queue, its faults, and the events that were published of it."""

    def __init__(self) -> None:
        self.events, self.faults = CloudEvents(), Faults()
        self.published: list[CloudEvent] = []
        self.inbox = PartnerInbox(
            audit=ArrivalEvents(self.events),
            availability=FaultyInbox(self.faults, self.events, NAMESPACE),
        )
        self.connection = ""

    async def send(self, *ids: str) -> None:
        client = ServiceBusClient.from_connection_string(self.connection, retry_total=0)
        async with client, client.get_queue_sender(QUEUE) as sender:
            for message_id in ids:
                await sender.send_messages(ServiceBusMessage("x", message_id=message_id))


@pytest.fixture
async def queue() -> AsyncIterator[AtQueue]:
    made = AtQueue()
    port = await made.inbox.bus.listen("127.0.0.1", 0)
    made.connection = json.loads(made.inbox.secret(f"sb://127.0.0.1:{port}"))["connection_string"]
    yield made
    await made.inbox.bus.close()


async def test_each_message_that_it_accepts_is_an_event_where_anybody_watches(
    queue: AtQueue,
) -> None:
    await queue.send("m-0")
    queue.events.add(queue.published.append)
    await queue.send("m-1", "m-2")
    assert queue.published == [
        PartnerAnswered("m-1", accepted=True),
        PartnerAnswered("m-2", accepted=True),
    ]
    assert queue.inbox.count == 3


async def test_while_the_partner_fails_it_is_throttled_and_keeps_nothing(queue: AtQueue) -> None:
    queue.events.add(queue.published.append)
    queue.faults.set(Fault("partner", "status", 503, times=1))
    with pytest.raises(ServiceBusServerBusyError):
        await queue.send("m-1")
    assert queue.published == [PartnerAnswered("", accepted=False)]
    assert queue.inbox.count == 0
    await queue.send("m-1")
    assert queue.inbox.count == 1


@pytest.mark.parametrize(
    "fault",
    [Fault("partner", "hang"), Fault("partner", "status", 503, id="m-1"), Fault("bus", "full")],
    ids=["no-status", "of-some-messages", "of-another-service"],
)
async def test_no_other_fault_hits_it_or_is_used_up(queue: AtQueue, fault: Fault) -> None:
    queue.faults.set(fault)
    await queue.send("m-1")
    assert queue.inbox.count == 1
    assert not queue.faults.hits
