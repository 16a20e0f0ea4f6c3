"""Errors by the names that AMQP and Service Bus give them, and their encoding."""

from __future__ import annotations

from datetime import UTC, datetime
from uuid import UUID

from local.bus.amqp.values import Described, Symbol, ULong, Value

DECODE_ERROR = "amqp:decode-error"
NOT_FOUND = "amqp:not-found"
NOT_ALLOWED = "amqp:not-allowed"
NOT_IMPLEMENTED = "amqp:not-implemented"
UNAUTHORIZED = "amqp:unauthorized-access"
RESOURCE_LIMIT = "amqp:resource-limit-exceeded"
INTERNAL_ERROR = "amqp:internal-error"
ILLEGAL_STATE = "amqp:illegal-state"
INVALID_FIELD = "amqp:invalid-field"
CONNECTION_FORCED = "amqp:connection:forced"
UNATTACHED_HANDLE = "amqp:session:unattached-handle"
HANDLE_IN_USE = "amqp:session:handle-in-use"
TRANSFER_LIMIT = "amqp:link:transfer-limit-exceeded"
SIZE_EXCEEDED = "amqp:link:message-size-exceeded"
LOCK_LOST = "com.microsoft:message-lock-lost"
MESSAGE_NOT_FOUND = "com.microsoft:message-not-found"
ARGUMENT_ERROR = "com.microsoft:argument-error"
OUT_OF_RANGE = "com.microsoft:argument-out-of-range"
DEAD_LETTER = "com.microsoft:dead-letter"

_ERROR = ULong(0x1D)


class AmqpError(Exception):
    """An error that a client gets; `condition` is the name that AMQP or Service Bus has for it."""

    def __init__(self, condition: str, description: str) -> None:
        super().__init__(description)
        self.condition = condition
        self.description = description

    def wire(self) -> Described:
        """Return the error as AMQP type `error`, with all three fields: clients index into them."""
        fields: list[Value] = [Symbol(self.condition), self.description, None]
        return Described(_ERROR, fields)


class LockLostError(AmqpError):
    """The lock of a message expired, or was never held."""

    def __init__(self) -> None:
        super().__init__(
            LOCK_LOST,
            "The lock supplied is invalid. Either the lock expired, or the message has already "
            "been removed from the queue.",
        )


class MessageNotFoundError(AmqpError):
    """No message of that sequence number has the state that the operation needs."""

    def __init__(self) -> None:
        super().__init__(MESSAGE_NOT_FOUND, "The specified message does not exist.")


class MessageTooLargeError(AmqpError):
    """A message of `size` bytes where at most `limit` are allowed."""

    def __init__(self, size: int, limit: int) -> None:
        super().__init__(
            SIZE_EXCEEDED,
            f"The received message (size: {size} bytes) exceeds the limit ({limit} bytes) "
            "currently allowed on the link.",
        )


class UnauthorizedError(AmqpError):
    """No valid token was given, or the right is missing."""

    def __init__(self, description: str) -> None:
        super().__init__(UNAUTHORIZED, description)

    def tracked(self, request_id: UUID) -> UnauthorizedError:
        """Return the same with a tracking id, as Service Bus writes it."""
        now = datetime.now(UTC).isoformat(timespec="seconds").removesuffix("+00:00")
        return UnauthorizedError(
            f"{self.description} TrackingId:{request_id.hex}_G0, "
            f"SystemTracker:NoSystemTracker, Timestamp:{now}"
        )
