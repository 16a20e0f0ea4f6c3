"""Messages as a trigger hands them over."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from azure.functions.servicebus import ServiceBusMessage

from shared.message.envelope import DataKey, WrappedKey, seal
from shared.message.protected_header import MessageHeader
from shared.message.received import ReceivedMessage, UnidentifiedMessage, read_message

TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
TOKEN = seal(
    b"payload", MessageHeader("id-1", "a/b"), DataKey.generate(), WrappedKey("kid", b"key")
).decode()


def triggered(
    message_id: str | None = "id-1",
    body: bytes | str = TOKEN,
    *,
    deliveries: int | None = 1,
    source: str | None = None,
    properties: Mapping[str, object] | None = None,
) -> ServiceBusMessage:
    """Return a message; `source` is the queue where a dead letter was."""
    return ServiceBusMessage(
        body=body.encode() if isinstance(body, str) else body,
        message_id=message_id,  # type: ignore[arg-type] # None without one
        delivery_count=deliveries,
        dead_letter_source=source,
        application_properties=properties,  # type: ignore[arg-type] # None without any
        user_properties={},
    )


def received(
    message_id: str = "id-1", body: bytes | str = TOKEN, /, **properties: Any
) -> ReceivedMessage:
    message = read_message(triggered(message_id, body, properties=properties))
    assert isinstance(message, ReceivedMessage)
    return message


def unidentified(message_id: str | None, body: bytes | str = TOKEN) -> UnidentifiedMessage:
    message = read_message(triggered(message_id, body))
    assert isinstance(message, UnidentifiedMessage)
    return message
