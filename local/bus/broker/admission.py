"""Which messages a queue may hold at all, whatever it holds already.

Source: Microsoft Learn, "Azure Service Bus quotas and limits".
"""

from __future__ import annotations

from local.bus.amqp.errors import (
    NOT_ALLOWED,
    OUT_OF_RANGE,
    SIZE_EXCEEDED,
    AmqpError,
    MessageTooLargeError,
    SessionIdMissingError,
)
from local.bus.amqp.message import Message
from local.deployment.resources import QueueSpec

MAX_NAME = 128  # characters of a message id, a session id and a partition key
MAX_PROPERTIES = 64 * 1024  # bytes of all of a message's properties


def check_message(spec: QueueSpec, message: Message, size: int) -> None:
    """Refuse a message of `size` bytes that is above a limit of its queue. Raises AmqpError."""
    if size > spec.max_message_bytes:
        raise MessageTooLargeError(size, spec.max_message_bytes)
    if message.properties_size > MAX_PROPERTIES:
        raise AmqpError(SIZE_EXCEEDED, f"All properties together exceed {MAX_PROPERTIES} bytes.")
    for name, value in (
        ("message id", message.message_id),
        ("session id", message.session_id),
        ("partition key", partition_key := message.partition_key),
    ):
        if value is not None and len(value) > MAX_NAME:
            raise AmqpError(OUT_OF_RANGE, f"The {name} exceeds {MAX_NAME} characters.")
    if spec.requires_session and message.session_id is None:
        raise SessionIdMissingError
    if None not in (partition_key, message.session_id) and partition_key != message.session_id:
        raise AmqpError(NOT_ALLOWED, "The partition key must be the session id where both are set.")
