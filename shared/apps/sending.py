"""Sending to one queue: with its span, and a line in the log when that stops and works again."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from azure.servicebus import ServiceBusMessage

from shared.azure.queues import BusConnection, BusDeniedError, BusUnavailableError, QueueSender
from shared.message.text_properties import text_properties
from shared.standards.trace_context import TraceContext
from shared.telemetry import recording
from shared.telemetry.outages import Outages
from shared.telemetry.recording import Kind

Send = Callable[[ServiceBusMessage], Awaitable[None]]
"""Sends to one queue. Raises `BusError`."""


def sending(bus: BusConnection, queue: str, outages: Outages, reserve: int = 0) -> Send:
    """Return what sends to a queue a message that would fit with `reserve` bytes more as well."""
    return watched(QueueSender(bus, queue, reserve), queue, outages)


def watched(sender: QueueSender, queue: str, outages: Outages) -> Send:
    """Return what sends by a sender to its queue.

    A message's trace goes on below what is under way, or without that, below where the message
    itself says that it was.
    """
    operation: dict[str, str | int | float] = {
        "messaging.system": "servicebus",
        "messaging.operation.name": "send",
        "messaging.operation.type": "send",
        "messaging.destination.name": queue,
    }
    name = f"send {queue}"

    async def deliver(message: ServiceBusMessage) -> None:
        with outages.watching(f"queue {queue}", (BusUnavailableError, BusDeniedError)):
            await sender.send(message)

    async def send(message: ServiceBusMessage) -> None:
        if not recording.is_on():
            await deliver(message)
            return
        parent = None
        if not recording.current():
            parent = TraceContext.from_properties(text_properties(message))
        with recording.span(name, Kind.PRODUCER, operation, parent=parent) as span:
            if message.message_id:
                span.set("messaging.message.id", message.message_id)
            if span.context:
                properties: dict[Any, Any] = dict(message.application_properties or {})
                message.application_properties = properties | span.context.to_properties()
            await deliver(message)

    return send
