"""Messages as the trigger hands them over."""

from __future__ import annotations

from typing import Any

from azure.functions.servicebus import ServiceBusMessage

from shared.message.envelope import DataKey, MessageHeader, WrappedKey, seal
from shared.message.received import ReceivedMessage, UnidentifiedMessage, read_message

TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
TOKEN = seal(
    b"payload", MessageHeader("id-1", "a/b"), DataKey.generate(), WrappedKey("kid", b"key")
)


def triggered(
    message_id: str | None = "id-1", body: bytes = TOKEN.encode(), /, **more: Any
) -> ServiceBusMessage:
    return ServiceBusMessage(
        body=body,
        message_id=message_id,  # type: ignore[arg-type] # None without one
        user_properties={},
        application_properties=more,
    )


def received(
    message_id: str = "id-1", body: bytes = TOKEN.encode(), /, **more: Any
) -> ReceivedMessage:
    message = read_message(triggered(message_id, body, **more))
    assert isinstance(message, ReceivedMessage)
    return message


def unidentified(message_id: str | None, body: bytes = TOKEN.encode()) -> UnidentifiedMessage:
    message = read_message(triggered(message_id, body))
    assert isinstance(message, UnidentifiedMessage)
    return message
