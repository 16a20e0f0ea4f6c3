"""Deliveries that the partner has accepted, until what follows from them is done."""

from __future__ import annotations

from collections import OrderedDict
from hashlib import sha256

from shared.message.pending_receipt import PendingReceipt
from shared.message.received import ReceivedMessage

_MAX_ENTRIES = 1000  # more than one process handles at once


class ConfirmedDeliveries:
    """The receipts of what this process has delivered and could not report yet.

    While no queue accepts a receipt, the message comes again: it must not be delivered again, nor
    rejected in the end for having come too often. A process that ends forgets them.
    """

    def __init__(self) -> None:
        self._receipts: OrderedDict[tuple[str, bytes], PendingReceipt] = OrderedDict()

    def add(self, message: ReceivedMessage, receipt: PendingReceipt) -> None:
        """Keep the receipt of a message that the partner has accepted."""
        self._receipts[_key(message)] = receipt
        while len(self._receipts) > _MAX_ENTRIES:
            self._receipts.popitem(last=False)

    def of(self, message: ReceivedMessage) -> PendingReceipt | None:
        """Return the receipt of a message, None if it was not delivered as far as is known."""
        return self._receipts.get(_key(message))

    def remove(self, message: ReceivedMessage) -> None:
        """Forget a message: its receipt is sent, or waits with it."""
        self._receipts.pop(_key(message), None)


def _key(message: ReceivedMessage) -> tuple[str, bytes]:
    # With the body: whoever may send can send anything else under the same id.
    return message.bus_id, sha256(message.body).digest()
