"""What the receiver sends on: to wait, to an operator, and to the ledger."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from azure.servicebus import ServiceBusMessage
from azure.servicebus.aio import ServiceBusClient

from shared.azure.queues import BusDeniedError, BusError, BusUnavailableError, QueueSender
from shared.message.bus_message import ReceivedMessage, receipt_message
from shared.message.envelope import DataKey
from shared.message.receipt import Receipt
from shared.message.state import State
from shared.settings.settings import ReceiverSettings
from shared.telemetry.outages import Outages

_log = logging.getLogger(__name__)


Send = Callable[[ServiceBusMessage], Awaitable[None]]
"""Sends to one queue. Raises `BusError`."""


@dataclass(frozen=True)
class Outcomes:
    """The queues that the receiver sends to, under its one identity for all of them.

    `requeue` lets a message wait for its time, `set_aside` puts it to the rejected ones, `record`
    sends a receipt to the ledger. A pending receipt waits for `wait_seconds`.
    """

    requeue: Send
    set_aside: Send
    record: Send
    wait_seconds: float
    outages: Outages

    @classmethod
    def through(
        cls, bus: ServiceBusClient, settings: ReceiverSettings, outages: Outages
    ) -> Outcomes:
        """Send through a client of the bus."""

        def to(queue: str) -> Send:
            sender, failures = QueueSender(bus, queue), (BusUnavailableError, BusDeniedError)

            async def send(message: ServiceBusMessage) -> None:
                with outages.watching(f"queue {queue}", failures):
                    await sender.send(message)

            return send

        return cls(
            to(settings.retries_queue),
            to(settings.rejected_queue),
            to(settings.receipts_queue),
            settings.wait_seconds,
            outages,
        )

    async def reject(
        self, incoming: ReceivedMessage, reason: str, detail: str, attempts: int | None = None
    ) -> Receipt | None:
        """Put a message to the rejected ones; return its receipt, which nobody has yet."""
        used = incoming.attempts if attempts is None else attempts
        await self.set_aside(incoming.rejected(reason, detail, used))
        _log.warning("rejected %s: %s: %s", _for_log(incoming), reason, detail)
        return incoming.receipt(State.REJECTED, used, f"{reason}: {detail}")

    async def publish_receipt(
        self, incoming: ReceivedMessage, receipt: Receipt | None, key: DataKey | None = None
    ) -> None:
        """Send a receipt; one of an outcome stays pending until it can be sent.

        The step itself is done: it must be repeated neither at the partner nor among the rejected
        because its receipt has no way.
        """
        if receipt is None:
            return
        try:
            await self.record(receipt_message(receipt))
        except BusError as error:
            _log.log(self.outages.level, "no receipt for %s yet: %s", receipt.message_id, error)
            # A retry's receipt is not kept pending: that of a later step will tell more.
            if receipt.state is not State.RETRYING:
                await self.requeue(incoming.with_pending_receipt(self.wait_seconds, receipt, key))


def _for_log(incoming: ReceivedMessage) -> str:
    # The id of a message that is not this relay's may be anything, and is no text for a log.
    return repr(incoming.message_id[:128])
