"""What is sent to a queue, and which failures are an outage of it."""

from __future__ import annotations

import logging

import pytest
from azure.servicebus import ServiceBusMessage
from azure.servicebus.exceptions import (
    MessageSizeExceededError,
    ServiceBusAuthorizationError,
    ServiceBusConnectionError,
)

from shared.apps.sending import sending
from shared.azure.queues import BusDeniedError, BusUnavailableError, MessageTooLargeError
from shared.errors import RelayError
from shared.telemetry.outages import Outages
from tests.unit.shared.azure.test_queues import Bus


@pytest.mark.parametrize(
    ("error", "raised", "line"),
    [
        (ServiceBusConnectionError(message=""), BusUnavailableError, "queue messages is away"),
        (ServiceBusAuthorizationError(message=""), BusDeniedError, "queue messages refuses"),
        (MessageSizeExceededError(message=""), MessageTooLargeError, None),
    ],
)
async def test_an_outage_of_a_queue_is_in_the_log_and_a_message_that_is_too_large_is_none(
    error: Exception, raised: type[RelayError], line: str | None, caplog: pytest.LogCaptureFixture
) -> None:
    bus = Bus()
    send = sending(bus, "messages", Outages(logging.getLogger("test_sending")))
    bus.errors = [error]
    with pytest.raises(raised):
        await send(ServiceBusMessage("a"))
    assert [message.partition(",")[0] for message in caplog.messages] == ([line] if line else [])
    await send(ServiceBusMessage("b"))
    assert bus.sends == [["a"], ["b"]]
