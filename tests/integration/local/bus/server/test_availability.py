"""Full, disabled and throttled queues, as the unmodified SDK sees them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from azure.servicebus import ServiceBusMessage
from azure.servicebus.exceptions import (
    MessagingEntityDisabledError,
    ServiceBusError,
    ServiceBusQuotaExceededError,
    ServiceBusServerBusyError,
)

if TYPE_CHECKING:
    from tests.integration.local.bus.conftest import Bus

HELLO = ServiceBusMessage("hello")
SENDING = [
    ("full", ServiceBusQuotaExceededError, "maximum entity size .* Queue: 'plain'"),
    ("disabled", MessagingEntityDisabledError, "'plain' is currently disabled\\."),
    ("send-disabled", MessagingEntityDisabledError, "disabled for Send operations"),
    ("throttled", ServiceBusServerBusyError, "50009"),
]
RECEIVING = [
    ("disabled", MessagingEntityDisabledError, "'plain' is currently disabled\\."),
    ("receive-disabled", MessagingEntityDisabledError, "disabled for Receive operations"),
    ("throttled", ServiceBusServerBusyError, "50009"),
]


@pytest.mark.parametrize(("answer", "raised", "text"), SENDING)
async def test_a_new_sender_is_refused(
    bus: Bus, answer: str, raised: type[ServiceBusError], text: str
) -> None:
    bus.set_fault(answer=answer, queue="plain")
    async with bus.client() as client, client.get_queue_sender("other") as other:
        await other.send_messages(HELLO)
        with pytest.raises(raised, match=text):
            async with client.get_queue_sender("plain") as sender:
                await sender.send_messages(HELLO)
    assert bus.server.state()["plain"].active == 0


@pytest.mark.parametrize(("answer", "raised", "text"), SENDING)
async def test_an_open_sender_is_refused_and_sends_when_it_is_over(
    bus: Bus, answer: str, raised: type[ServiceBusError], text: str
) -> None:
    async with bus.client() as client, client.get_queue_sender("plain") as sender:
        await sender.send_messages(HELLO)
        bus.set_fault(answer=answer, queue="plain")
        if raised is MessagingEntityDisabledError:
            # Its link was detached: the SDK reports that once, then what the new link meets.
            with pytest.raises(ServiceBusError):
                await sender.send_messages(HELLO)
        with pytest.raises(raised, match=text):
            await sender.send_messages(HELLO)
        assert bus.server.state()["plain"].active == 1
        bus.clear_faults()
        await sender.send_messages(HELLO)
    assert bus.server.state()["plain"].active == 2


@pytest.mark.parametrize(("answer", "raised", "text"), RECEIVING)
async def test_a_new_receiver_is_refused(
    bus: Bus, answer: str, raised: type[ServiceBusError], text: str
) -> None:
    bus.put("plain", b"hello")
    bus.set_fault(answer=answer, queue="plain")
    async with bus.client() as client:
        with pytest.raises(raised, match=text):
            async with client.get_queue_receiver("plain") as receiver:
                await receiver.receive_messages(1, max_wait_time=5)
    assert bus.server.state()["plain"].active == 1


@pytest.mark.parametrize(("answer", "raised", "text"), RECEIVING)
async def test_an_open_receiver_is_detached_and_a_new_one_receives_when_it_is_over(
    bus: Bus, answer: str, raised: type[ServiceBusError], text: str
) -> None:
    async with bus.client() as client, client.get_queue_receiver("plain") as receiver:
        assert await receiver.receive_messages(1, max_wait_time=0.2) == []
        bus.set_fault(answer=answer, queue="plain")
        with pytest.raises(raised, match=text):
            await receiver.receive_messages(1, max_wait_time=5)
    bus.clear_faults()
    bus.put("plain", b"hello")
    # The SDK keeps using a link that was detached as busy: only another receiver gets on.
    async with bus.client() as client, client.get_queue_receiver("plain") as receiver:
        [message] = await receiver.receive_messages(1, max_wait_time=5)
        await receiver.complete_message(message)


@pytest.mark.parametrize(
    ("answer", "raised"),
    [
        ("disabled", MessagingEntityDisabledError),
        ("send-disabled", MessagingEntityDisabledError),
        ("throttled", ServiceBusServerBusyError),
    ],
)
async def test_browsing_is_refused(bus: Bus, answer: str, raised: type[ServiceBusError]) -> None:
    bus.put("plain", b"hello")
    async with bus.client() as client, client.get_queue_receiver("plain") as receiver:
        assert len(await receiver.peek_messages(1)) == 1
    bus.set_fault(answer=answer, queue="plain")
    async with bus.client() as client:
        receiver = client.get_queue_receiver("plain")
        with pytest.raises(raised):
            await receiver.peek_messages(1)


async def test_a_queue_that_is_full_for_sends_delivers(bus: Bus) -> None:
    bus.put("plain", b"hello")
    bus.set_fault(answer="full", queue="plain")
    async with bus.client() as client, client.get_queue_receiver("plain") as receiver:
        [message] = await receiver.receive_messages(1, max_wait_time=5)
        await receiver.complete_message(message)
    assert bus.server.state()["plain"].active == 0


@pytest.mark.parametrize("answer", ["full", "disabled", "send-disabled"])
async def test_what_forwards_into_such_a_queue_is_dead_lettered_in_transfer(
    bus: Bus, answer: str
) -> None:
    bus.set_fault(answer=answer, queue="messages")
    bus.put("retries", b"hello")
    counts = bus.server.state()["retries"]
    assert (counts.active, counts.transfer_dead_lettered) == (0, 1)
    bus.clear_faults()
    assert bus.server.state()["messages"].active == 0


async def test_the_next_k_sends_are_throttled_and_no_more(bus: Bus) -> None:
    async with bus.client() as client, client.get_queue_sender("plain") as sender:
        await sender.send_messages(HELLO)
        bus.set_fault(answer="throttled", queue="plain", times=2)
        for _ in range(2):
            with pytest.raises(ServiceBusServerBusyError):
                await sender.send_messages(HELLO)
        await sender.send_messages(HELLO)
    assert bus.server.state()["plain"].active == 2


async def test_rights_come_before_a_queues_state(bus: Bus) -> None:
    bus.set_fault(answer="disabled", queue="plain")
    async with bus.client("nobody") as client:
        with pytest.raises(ServiceBusError, match="Send"):
            async with client.get_queue_sender("plain") as sender:
                await sender.send_messages(HELLO)
