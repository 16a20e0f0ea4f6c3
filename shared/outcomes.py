"""What the receiver sends on: to wait, to an operator, and to the ledger."""

from __future__ import annotations

import logging

from azure.servicebus import ServiceBusMessage
from azure.servicebus.aio import ServiceBusClient

from shared.bus_message import Incoming, receipt_message
from shared.envelope import DataKey
from shared.outages import Outages
from shared.queues import BusDeniedError, BusError, BusUnavailableError, QueueSender
from shared.receipt import Receipt, State
from shared.settings import ReceiverSettings

_log = logging.getLogger(__name__)


class Outcomes:
    """The queues that the receiver sends to, under its one identity for all of them."""

    def __init__(self, bus: ServiceBusClient, settings: ReceiverSettings, outages: Outages) -> None:
        self._retries = QueueSender(bus, settings.retries_queue)
        self._rejected = QueueSender(bus, settings.rejected_queue)
        self._receipts = QueueSender(bus, settings.receipts_queue)
        self._receipts_queue = settings.receipts_queue
        self._wait_seconds = settings.wait_seconds
        self._outages = outages

    async def later(self, message: ServiceBusMessage) -> None:
        """Let a message wait for its time. Raises `BusError`."""
        await self._retries.send(message)

    async def set_aside(self, message: ServiceBusMessage) -> None:
        """Put a message to the rejected ones. Raises `BusError`."""
        await self._rejected.send(message)

    async def record(self, message: ServiceBusMessage) -> None:
        """Send a receipt to the ledger. Raises `BusError`."""
        with self._outages.watching(
            f"queue {self._receipts_queue}", (BusUnavailableError, BusDeniedError)
        ):
            await self._receipts.send(message)

    async def reject(
        self, incoming: Incoming, reason: str, detail: str, attempts: int | None = None
    ) -> Receipt | None:
        """Put a message to the rejected ones; return its receipt, which nobody has yet."""
        used = incoming.attempts if attempts is None else attempts
        await self.set_aside(incoming.rejected(reason, detail, used))
        _log.warning("rejected %s: %s: %s", _shown(incoming), reason, detail)
        return incoming.receipt(State.REJECTED, used, f"{reason}: {detail}")

    async def tell(
        self, incoming: Incoming, receipt: Receipt | None, key: DataKey | None = None
    ) -> None:
        """Send a receipt; one of an outcome is owed until it can be sent.

        The step itself is done: it must be repeated neither at the partner nor among the rejected
        because its receipt has no way.
        """
        if receipt is None:
            return
        try:
            await self.record(receipt_message(receipt))
        except BusError as error:
            _log.log(self._outages.level, "no receipt for %s yet: %s", receipt.message_id, error)
            # A retry's receipt is not owed: that of a later step will tell more.
            if receipt.state is not State.RETRYING:
                await self.later(incoming.owing(self._wait_seconds, receipt, key))


def _shown(incoming: Incoming) -> str:
    # The id of a message that is none of ours may be anything, and is no text for a log.
    return repr(incoming.message_id[:128])
