"""Sending to one queue, with a line in the log when that stops and when it works again."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from azure.servicebus import ServiceBusMessage

from shared.azure.queues import BusConnection, BusDeniedError, BusUnavailableError, QueueSender
from shared.telemetry.outages import Outages

Send = Callable[[ServiceBusMessage], Awaitable[None]]
"""Sends to one queue. Raises `BusError`."""


def sending(bus: BusConnection, queue: str, outages: Outages, reserve: int = 0) -> Send:
    """Return what sends to a queue a message that would fit with `reserve` bytes more as well."""
    return watched(QueueSender(bus, queue, reserve), queue, outages)


def watched(sender: QueueSender, queue: str, outages: Outages) -> Send:
    """Return what sends by a sender to its queue."""

    async def send(message: ServiceBusMessage) -> None:
        with outages.watching(f"queue {queue}", (BusUnavailableError, BusDeniedError)):
            await sender.send(message)

    return send
