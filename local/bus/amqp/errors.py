"""Errors by the names that AMQP and Service Bus give them, and their encoding."""

from __future__ import annotations

from datetime import UTC, datetime
from uuid import UUID, uuid4

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
SESSION_LOCK_LOST = "com.microsoft:session-lock-lost"
SESSION_CANNOT_BE_LOCKED = "com.microsoft:session-cannot-be-locked"
TIMEOUT = "com.microsoft:timeout"
MESSAGE_NOT_FOUND = "com.microsoft:message-not-found"
ARGUMENT_ERROR = "com.microsoft:argument-error"
OUT_OF_RANGE = "com.microsoft:argument-out-of-range"
ENTITY_DISABLED = "com.microsoft:entity-disabled"
SERVER_BUSY = "com.microsoft:server-busy"
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


class EntityNotFoundError(AmqpError):
    """There is no queue of that name in the namespace.

    Source of the text: github.com/microsoft/azure-spring-boot, issues with a stack trace.
    """

    def __init__(self, host: str, entity: str) -> None:
        super().__init__(
            NOT_FOUND,
            f"The messaging entity 'sb://{host}/{entity}' could not be found. To know more visit "
            f"https://aka.ms/sbResourceMgrExceptions. {tracking(uuid4())}",
        )


class LockLostError(AmqpError):
    """The lock of a message expired, or was never held."""

    def __init__(self) -> None:
        super().__init__(
            LOCK_LOST,
            "The lock supplied is invalid. Either the lock expired, or the message has already "
            "been removed from the queue.",
        )


class SessionLockLostError(AmqpError):
    """The lock of a session expired, or was never held by this client."""

    def __init__(self) -> None:
        super().__init__(
            SESSION_LOCK_LOST,
            "The session lock has expired on the MessageSession. Accept a new MessageSession.",
        )


class SessionCannotBeLockedError(AmqpError):
    """Another receiver has the session."""

    def __init__(self, session_id: str) -> None:
        super().__init__(
            SESSION_CANNOT_BE_LOCKED,
            f"The requested session '{session_id}' cannot be accepted. It may be locked by another "
            "receiver.",
        )


class SessionIdMissingError(AmqpError):
    """A message without a session id, for a queue with sessions."""

    def __init__(self) -> None:
        super().__init__(
            NOT_ALLOWED,
            "The SessionId was not set on a message, and it cannot be sent to the entity. Entities "
            "that have session support enabled can only receive messages that have the SessionId "
            "set to a valid value.",
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


class QueueFullError(AmqpError):
    """A queue of `size` bytes has no room within its `limit`.

    Source of the text: github.com/Azure/azure-service-bus, issue 683.
    """

    def __init__(self, queue: str, size: int, limit: int) -> None:
        super().__init__(
            RESOURCE_LIMIT,
            f"The maximum entity size has been reached or exceeded for Queue: '{queue}'. Size of "
            f"entity in bytes:{size}, Max entity size in bytes: {limit}. QuotaType: EntitySize",
        )


class QueueDisabledError(AmqpError):
    """A queue is disabled: for all, or for `operations`, Send or Receive.

    Source of the text: github.com/Azure/azure-sdk-for-net, issue 10535.
    """

    def __init__(self, queue: str, operations: str | None = None) -> None:
        only = f" for {operations} operations" if operations else ""
        super().__init__(
            ENTITY_DISABLED, f"Messaging entity '{queue}' is currently disabled{only}."
        )


class ServerBusyError(AmqpError):
    """The namespace is throttled.

    Source: Microsoft Learn, "Throttling operations on Azure Service Bus".
    """

    def __init__(self, namespace: str) -> None:
        super().__init__(
            SERVER_BUSY,
            f"The request was terminated because the namespace {namespace} is being throttled. "
            "Error code : 50009. Please wait 10 seconds and try again.",
        )


class UnauthorizedError(AmqpError):
    """No valid token was given, or the right is missing."""

    def __init__(self, description: str) -> None:
        super().__init__(UNAUTHORIZED, description)

    def tracked(self, request_id: UUID) -> UnauthorizedError:
        """Return the same with a tracking id, as Service Bus writes it."""
        return UnauthorizedError(f"{self.description} {tracking(request_id)}")


def tracking(request_id: UUID) -> str:
    """Return what Service Bus writes behind a refusal, so that support can find the request."""
    now = datetime.now(UTC).isoformat(timespec="seconds").removesuffix("+00:00")
    return f"TrackingId:{request_id.hex}_G0, SystemTracker:NoSystemTracker, Timestamp:{now}"
