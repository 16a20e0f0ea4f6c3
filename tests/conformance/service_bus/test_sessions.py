"""The documented first steps with sessions, by the synchronous and asynchronous SDKs."""

from __future__ import annotations

import pytest
from azure.servicebus import NEXT_AVAILABLE_SESSION, ServiceBusMessage
from azure.servicebus.exceptions import ServiceBusError

from tests.conformance.target import Target


@pytest.mark.conformance("Service Bus sessions", "accept a session and receive its messages")
@pytest.mark.conformance("Service Bus sessions", "get and set the state")
def test_a_session_is_received_in_order_and_keeps_a_state(target: Target) -> None:
    with target.service_bus() as client:
        with client.get_queue_sender("sessions") as sender:
            sender.send_messages([ServiceBusMessage(text, session_id="one") for text in "ab"])
        with client.get_queue_receiver("sessions", session_id="one", max_wait_time=30) as receiver:
            assert receiver.session.get_state() is None
            for text in "ab":
                received = next(receiver)
                assert str(received) == text
                receiver.complete_message(received)
            receiver.session.set_state("halfway")
        with client.get_queue_receiver("sessions", session_id="one") as receiver:
            assert receiver.session.get_state() == b"halfway"
            assert receiver.session.renew_lock() is not None
            receiver.session.set_state(None)


@pytest.mark.conformance("Service Bus sessions", "accept the next session")
async def test_the_next_session_is_one_with_messages(target: Target) -> None:
    async with target.service_bus_async() as client:
        async with client.get_queue_sender("sessions-async") as sender:
            await sender.send_messages(ServiceBusMessage("a message", session_id="waiting"))
        async with client.get_queue_receiver(
            "sessions-async", session_id=NEXT_AVAILABLE_SESSION, max_wait_time=30
        ) as receiver:
            assert receiver.session.session_id == "waiting"
            received = await anext(receiver)
            assert str(received) == "a message"
            await receiver.complete_message(received)


@pytest.mark.conformance("Service Bus sessions", "refused on a queue without sessions")
def test_a_session_receiver_is_refused_on_a_queue_without_sessions(target: Target) -> None:
    with target.service_bus(retry_total=0) as client:
        receiver = client.get_queue_receiver("samples", session_id="one")
        with pytest.raises(ServiceBusError, match="does not require sessions"), receiver:
            pass
