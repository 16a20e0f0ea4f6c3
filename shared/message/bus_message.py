"""The Service Bus messages that this relay sends."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from azure.servicebus import ServiceBusMessage

from shared.message.envelope import MEDIA_TYPE
from shared.message.received import BusMessage, ReceivedMessage
from shared.message.rejected import ATTEMPTS, SCHEDULE_USED, UNRECORDED, why
from shared.message.unrecorded import RETURNS
from shared.message.waiting import Wait
from shared.standards.trace_context import TraceContext

LATER_HOP_BYTES = 6 * 1024
"""What a message may grow by after its first hop, at most.

By a longer id, and by the properties of a retry, a pending receipt, a rejection and a dead letter.
A message is accepted only with this room left, so that it can be retried, rejected and replayed.
"""


def outgoing(token: bytes, message_id: str, trace: TraceContext | None) -> ServiceBusMessage:
    """Return a sealed message for the queue of messages."""
    return _message(token, message_id, _traced(trace))


def requeued(
    message: ReceivedMessage, due: datetime, attempts: int, wait: Wait
) -> ServiceBusMessage:
    """Return the same message for the queue of retries, under the id of its next hop.

    The bus delivers it at `due` (UTC), when `attempts` have been made at the partner. `wait` is for
    operators, who see it by `ops retries`.
    """
    again = _message(
        message.body,
        message.id.next_bus_id(message.body),
        {
            **_traced(message.trace),
            ATTEMPTS: str(attempts),
            SCHEDULE_USED: None if message.schedule_used is None else str(message.schedule_used),
            **wait.to_properties(),
            **(message.pending.to_properties() if message.pending else {}),
        },
    )
    again.scheduled_enqueue_time_utc = due
    return again


def returned_message(
    message: ReceivedMessage, due: datetime, wait: Wait, returns: int
) -> ServiceBusMessage:
    """Return a message that the bus gave up as a waiting one; `returns` counts this return, too."""
    again = requeued(message, due, message.attempts, wait)
    again.application_properties = {**(again.application_properties or {}), RETURNS: str(returns)}
    return again


def rejected(
    message: BusMessage, reason: str, detail: str, attempts: int, *, is_recorded: bool = True
) -> ServiceBusMessage:
    """Return the same message, as sealed as it was, for the queue of rejected messages."""
    unrecorded = {} if is_recorded else {UNRECORDED: "true"}
    return _message(
        message.body,
        message.bus_id or None,
        {
            **_traced(message.trace),
            ATTEMPTS: str(attempts),
            **why(reason, detail),
            **unrecorded,
        },
    )


def receipts_message(
    receipts: Sequence[str], trace: TraceContext | None = None
) -> ServiceBusMessage:
    """Return receipts, each in JSON, as one message for the queue of receipts.

    `trace` is that of one of them, since a message has no room for those of all.
    """
    kind = "application/json" if len(receipts) == 1 else "application/jsonl"
    return ServiceBusMessage(
        "\n".join(receipts),
        content_type=kind,
        application_properties=_traced(trace) or None,
    )


def _traced(trace: TraceContext | None) -> dict[Any, Any]:
    return trace.to_properties() if trace else {}


def _message(
    body: bytes, message_id: str | None, properties: Mapping[str, str | None]
) -> ServiceBusMessage:
    return ServiceBusMessage(
        body,
        message_id=message_id,
        content_type=MEDIA_TYPE,
        application_properties={name: text for name, text in properties.items() if text} or None,
    )
