"""A receipt that was not recorded: sent to the ledger once more, or set aside for an operator."""

from __future__ import annotations

import re

from azure.servicebus import ServiceBusMessage

from shared.message.receipt import Receipt
from shared.message.rejected import KIND, RECEIPT, why

RETURNS = "relay-returns"
_RETURNS = re.compile(r"\d{1,4}", re.ASCII)
_JSON = "application/json"


def returned(body: bytes, returns: int) -> ServiceBusMessage:
    """Return a receipt that the bus gave up as a fresh one; `returns` counts this one, too."""
    return ServiceBusMessage(
        body, content_type=_JSON, application_properties={RETURNS: str(returns)}
    )


def returns_of(value: object) -> int:
    """Read how often a receipt was given up before, whatever its property says."""
    found = _RETURNS.fullmatch(str(value))
    return int(found[0]) if found else 0


def rejected_receipt(body: bytes, reason: str, detail: str) -> ServiceBusMessage:
    """Return what was on the queue of receipts for the queue of rejected messages, as it was.

    It goes by the id of the message that it tells of, where it tells of one.
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
