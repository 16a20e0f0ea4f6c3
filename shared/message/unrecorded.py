"""A receipt that was not recorded: sent to the ledger once more, or rejected for an operator."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

from azure.servicebus import ServiceBusMessage

from shared.message.formats import NewerFormatError
from shared.message.receipt import Receipt
from shared.message.rejected import KIND, RECEIPT, read_count, why
from shared.standards.trace_context import TraceContext

RETURNS = "relay-returns"
# In the body, and so a part of every format: of a batch, the tracker cannot rely on properties.
HOLDS = "held"
MAX_HELD_BYTES = 16 * 1024
"""A larger receipt is not held, but an operator's: written anew, it may be six times as large."""
_JSON = "application/json"


def returned(body: bytes, returns: int, trace: TraceContext | None = None) -> ServiceBusMessage:
    """Return a dead-lettered receipt as a fresh one; `returns` counts this return, too."""
    return ServiceBusMessage(
        body,
        content_type=_JSON,
        application_properties={RETURNS: str(returns), **_traced(trace)},
    )


def holds_of(body: bytes) -> int:
    """Return how often a receipt of a newer format was held; 0 for what is not a count."""
    return read_count(json.loads(body).get(HOLDS))


def held_receipt(
    body: bytes, due: datetime, trace: TraceContext | None = None
) -> ServiceBusMessage:
    """Return a receipt of a newer format for its queue again, held once more, until `due` (UTC)."""
    members = json.loads(body) | {HOLDS: holds_of(body) + 1}
    message = ServiceBusMessage(
        json.dumps(members), content_type=_JSON, application_properties=_traced(trace) or None
    )
    message.scheduled_enqueue_time_utc = due
    return message


def rejected_receipt(
    body: bytes, reason: str, detail: str, trace: TraceContext | None = None
) -> ServiceBusMessage:
    """Return what was on the queue of receipts for the queue of rejected messages, unchanged.

    Its id is that of the message whose receipt it is, if it is a receipt.
    """
    properties = {KIND: RECEIPT, **why(reason, detail), **_traced(trace)}
    return ServiceBusMessage(
        body,
        message_id=_id_of(body),
        content_type=_JSON,
        application_properties={name: text for name, text in properties.items() if text},
    )


def _traced(trace: TraceContext | None) -> dict[Any, Any]:
    return trace.to_properties() if trace else {}


def _id_of(body: bytes) -> str | None:
    try:
        return Receipt.from_json(body).message_id
    except (ValueError, NewerFormatError):
        return None
