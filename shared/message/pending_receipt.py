"""A receipt that could not be sent: it travels on its message until it can be."""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from shared.message.envelope import DataKey
from shared.message.formats import KNOWN_FORMATS, Formats, NewerFormatError
from shared.message.message_id import MessageId
from shared.message.receipt import Receipt

PENDING_RECEIPT = "relay-pending-receipt"
PENDING_RECEIPT_MAC = "relay-pending-receipt-mac"


@dataclass(frozen=True)
class PendingReceipt:
    """The receipt of a message whose outcome is final, with the MAC of whoever opened the message.

    `mac` is None where nobody could open it, and anything at all on a message that was tampered
    with: see `is_authentic`.
    """

    receipt: Receipt
    mac: str | None = None

    @classmethod
    def by(cls, key: DataKey, receipt: Receipt) -> PendingReceipt:
        """Return a receipt with the MAC of the data key that opened its message."""
        return cls(receipt, key.receipt_mac(receipt.to_json()))

    def to_properties(self) -> dict[str, str | None]:
        """Return the properties to send it with."""
        return {PENDING_RECEIPT: self.receipt.to_json(), PENDING_RECEIPT_MAC: self.mac}

    def is_authentic(self, key: DataKey) -> bool:
        """Return whether the receipt was written by somebody who could open the message.

        `key` is the message's data key. Without this, a right to send to a queue would be a right
        to report any message as delivered, which is final in the ledger.
        """
        expected = key.receipt_mac(self.receipt.to_json()).encode()
        return hmac.compare_digest(expected, (self.mac or "").encode(errors="replace"))


@dataclass(frozen=True)
class NewerPendingReceipt:
    """A pending receipt of a format that is not accepted yet: it stays on its message, unread."""

    error: NewerFormatError
    text: str = field(repr=False)
    mac: str | None = field(repr=False)

    def to_properties(self) -> dict[str, str | None]:
        """Return the properties to send it with, as they came."""
        return {PENDING_RECEIPT: self.text, PENDING_RECEIPT_MAC: self.mac}


def pending_receipt(
    properties: Mapping[str, Any], message_id: MessageId, accepted: Formats = KNOWN_FORMATS
) -> PendingReceipt | NewerPendingReceipt | None:
    """Read the properties of the message `message_id`; None without a receipt of its own."""
    text, mac = properties.get(PENDING_RECEIPT), properties.get(PENDING_RECEIPT_MAC)
    if not isinstance(text, str):
        return None
    mac = mac if isinstance(mac, str) else None
    try:
        receipt = Receipt.from_json(text, accepted)
    except NewerFormatError as error:
        return NewerPendingReceipt(error, text, mac)
    except ValueError:
        return None
    # Only of itself: a message must not report the outcome of another.
    return PendingReceipt(receipt, mac) if receipt.message_id == message_id.id else None
