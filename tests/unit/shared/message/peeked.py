"""Messages of the queue of retries as a peek returns them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from azure.servicebus import ServiceBusReceivedMessage
from azure.servicebus._pyamqp.message import Message, Properties

from shared.message.message_id import digest_suffix

NOW = datetime(2026, 11, 26, 12, 0, tzinfo=UTC)
BODY = b"sealed"
SCHEDULED = 2


def peeked(
    number: int = 1,
    bus_id: str | None = None,
    *,
    due: datetime | None = NOW + timedelta(hours=1),
    state: int = SCHEDULED,
    body: bytes | None = BODY,
    properties: Mapping[str, Any] | None = None,
) -> ServiceBusReceivedMessage:
    """Return a message under the id of the first hop on that queue, if no other is given."""
    annotations: dict[str | bytes, Any] = {
        b"x-opt-sequence-number": number,
        b"x-opt-message-state": state,
    }
    if due is not None:
        annotations[b"x-opt-scheduled-enqueue-time"] = int(due.timestamp() * 1000)
    own = f"id-{number}.1{digest_suffix(body or b'')}" if bus_id is None else bus_id
    raw = Message(
        properties=Properties(message_id=own.encode(), content_type=b"application/jose"),
        application_properties={
            name.encode(): value.encode() if isinstance(value, str) else value
            for name, value in (properties or {}).items()
        },
        message_annotations=annotations,
        **({"value": 1} if body is None else {"data": [body]}),
    )
    return ServiceBusReceivedMessage(raw, receiver=None)
