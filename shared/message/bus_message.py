"""A sealed message as a Service Bus message: out of the sender, into the receiver, and onwards."""

from __future__ import annotations

import hmac
import re
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import azure.functions as func
from azure.servicebus import ServiceBusMessage

from shared.message.envelope import MEDIA_TYPE, DataKey, DecryptionError, SealedMessage
from shared.message.message_id import MessageId
from shared.message.receipt import Receipt
from shared.message.rejected import ATTEMPTS, why
from shared.message.state import State
from shared.standards.trace_context import HEADER, traceparent

PENDING_RECEIPT = "relay-pending-receipt"
PENDING_RECEIPT_MAC = "relay-pending-receipt-mac"

_ATTEMPTS = re.compile(r"\d{1,4}", re.ASCII)
_LONGEST_DETAIL = 200


def outgoing(token: str, message_id: str, trace: str | None) -> ServiceBusMessage:
    """Return the Service Bus message for a sealed message. `trace` is a `traceparent`."""
    return _message(token, message_id, {HEADER: trace})


def receipt_message(receipt: Receipt) -> ServiceBusMessage:
    """Return the Service Bus message for a receipt."""
    return ServiceBusMessage(receipt.to_json(), content_type="application/json")


@dataclass(frozen=True)
class ReceivedMessage:
    """A message as the trigger hands it over.

    `attempts` of the retry schedule are used up; the queue hands it over for the `deliveries`-th
    time since it got there. `pending_receipt` is set on one that waits for its receipt only;
    whether that is true, `has_authentic_receipt` tells.
    """

    message_id: str
    attempts: int
    deliveries: int
    trace: str | None
    pending_receipt: Receipt | None
    _receipt_mac: str | None
    _body: bytes = field(repr=False)

    @classmethod
    def from_trigger(cls, message: func.ServiceBusMessage) -> ReceivedMessage:
        """Read a message, whatever is in it."""
        properties: dict[str, Any] = message.application_properties or {}
        attempts = _ATTEMPTS.fullmatch(str(properties.get(ATTEMPTS)))
        message_id = message.message_id or ""
        return cls(
            message_id,
            int(attempts[0]) if attempts else 0,
            message.delivery_count or 1,
            traceparent(properties.get(HEADER)),
            _pending_receipt(properties.get(PENDING_RECEIPT), MessageId.parse(message_id)),
            _text(properties.get(PENDING_RECEIPT_MAC)),
            message.get_body(),
        )

    def sealed(self) -> SealedMessage:
        """Return the sealed message in it. Raises `DecryptionError`."""
        try:
            token = self._body.decode("ascii")
        except UnicodeDecodeError:
            raise DecryptionError("malformed", "the body is not text") from None
        sealed = SealedMessage.from_token(token)
        found = MessageId.parse(self.message_id)
        # A seal belongs to one message: put under another id, it would slip past the duplicate
        # detection and be told to the ledger as what it is not.
        if not found or found.id != sealed.header.message_id:
            raise DecryptionError("tampered", "it is sealed for another message id")
        return sealed

    def receipt(
        self, state: State, attempts: int, detail: str | None = None, **known: Any
    ) -> Receipt | None:
        """Return the receipt for a step of it; None for one that is not under an id of ours.

        `known` are the receipt's members that only a sealed or an opened message tells.
        """
        found = MessageId.parse(self.message_id)
        if not found:
            return None
        shown = detail and detail[:_LONGEST_DETAIL]
        replay = found.replay or 0
        return Receipt(found.id, state, datetime.now(UTC), attempts, replay, shown, **known)

    def with_pending_receipt(
        self, seconds: float, receipt: Receipt, key: DataKey | None
    ) -> ServiceBusMessage:
        """Return the same message for the queue of retries, to be taken for its receipt only.

        `key` opened the message; a delivery that it does not confirm is not believed.
        """
        receipt_mac = key.receipt_mac(receipt.to_json()) if key else None
        pending = replace(self, pending_receipt=receipt, _receipt_mac=receipt_mac)
        return pending.rescheduled(seconds, receipt.attempts)

    def has_authentic_receipt(self, key: DataKey) -> bool:
        """Return whether the pending receipt was written by who could open the message."""
        expected = key.receipt_mac(self.pending_receipt.to_json()) if self.pending_receipt else ""
        given = (self._receipt_mac or "").encode(errors="replace")
        return bool(expected) and hmac.compare_digest(expected.encode(), given)

    def rescheduled(self, seconds: float, attempts: int) -> ServiceBusMessage:
        """Return the same message for the queue of retries, due in `seconds`.

        Raises `ValueError` for one that is not under an id of ours: it can only be rejected.
        """
        found = MessageId.parse(self.message_id)
        if not found:
            raise ValueError("the message id is not one of this relay's")
        properties = {
            HEADER: self.trace,
            ATTEMPTS: str(attempts),
            PENDING_RECEIPT: self.pending_receipt.to_json() if self.pending_receipt else None,
            PENDING_RECEIPT_MAC: self._receipt_mac if self.pending_receipt else None,
        }
        message = _message(self._body, found.next_bus_id(self._body), properties)
        message.scheduled_enqueue_time_utc = datetime.now(UTC) + timedelta(seconds=seconds)
        return message

    def rejected(self, reason: str, detail: str, attempts: int) -> ServiceBusMessage:
        """Return the same message, as sealed as it was, for the queue of rejected ones."""
        return _message(
            self._body,
            self.message_id or None,
            {HEADER: self.trace, ATTEMPTS: str(attempts), **why(reason, detail)},
        )


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None


def _pending_receipt(text: object, found: MessageId | None) -> Receipt | None:
    try:
        receipt = Receipt.from_json(text) if isinstance(text, str) else None
    except ValueError:
        return None
    # Only for itself: a message must not tell what became of another.
    return receipt if receipt and found and receipt.message_id == found.id else None


def _message(
    body: str | bytes, message_id: str | None, properties: dict[str, str | None]
) -> ServiceBusMessage:
    return ServiceBusMessage(
        body,
        message_id=message_id,
        content_type=MEDIA_TYPE,
        application_properties={name: text for name, text in properties.items() if text} or None,
    )
