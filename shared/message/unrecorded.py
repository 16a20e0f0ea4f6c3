"""A receipt that was not recorded: sent to the ledger once more, or rejected for an operator."""

from __future__ import annotations

from azure.servicebus import ServiceBusMessage

from shared.message.receipt import Receipt
from shared.message.rejected import KIND, RECEIPT, why

RETURNS = "relay-returns"
_JSON = "application/json"


def returned(body: bytes, returns: int) -> ServiceBusMessage:
    """Return a dead-lettered receipt as a fresh one; `returns` counts this return, too."""
    return ServiceBusMessage(
        body, content_type=_JSON, application_properties={RETURNS: str(returns)}
    )


def rejected_receipt(body: bytes, reason: str, detail: str) -> ServiceBusMessage:
    """Return what was on the queue of receipts for the queue of rejected messages, unchanged.

    Its id is that of the message whose receipt it is, if it is a receipt.
    """
    properties = {KIND: RECEIPT, **why(reason, detail)}
    return ServiceBusMessage(
        body,
        message_id=_id_of(body),
        content_type=_JSON,
        application_properties={name: text for name, text in properties.items() if text},
    )


def _id_of(body: bytes) -> str | None:
    try:
        return Receipt.from_json(body).message_id
    except ValueError:
        return None
