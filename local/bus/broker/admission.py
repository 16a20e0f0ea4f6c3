"""Which messages a queue may hold at all, whatever it holds already.

Source: Microsoft Learn, "Azure Service Bus quotas and limits".
"""

from __future__ import annotations

from local.bus.amqp.errors import OUT_OF_RANGE, SIZE_EXCEEDED, AmqpError, MessageTooLargeError
from local.bus.amqp.message import Message
from local.deployment.resources import QueueSpec

MAX_MESSAGE_ID = 128
MAX_PROPERTIES = 64 * 1024  # bytes of all of a message's properties


def check_message(spec: QueueSpec, message: Message, size: int) -> None:
    """Refuse a message of `size` bytes that is above a limit of its queue. Raises AmqpError."""
    if size > spec.max_message_bytes:
        raise MessageTooLargeError(size, spec.max_message_bytes)
    if message.properties_size > MAX_PROPERTIES:
        raise AmqpError(SIZE_EXCEEDED, f"All properties together exceed {MAX_PROPERTIES} bytes.")
    if len(message.message_id) > MAX_MESSAGE_ID:
        raise AmqpError(OUT_OF_RANGE, f"The message id exceeds {MAX_MESSAGE_ID} characters.")
