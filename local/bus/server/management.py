"""Operations on a queue by request and response.

Source: Microsoft Learn, "AMQP 1.0 in Azure Service Bus: request-response-based operations".
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TypeGuard, TypeVar
from uuid import UUID

from local.bus.amqp.decoding import DecodeError
from local.bus.amqp.errors import (
    ARGUMENT_ERROR,
    ENTITY_DISABLED,
    LOCK_LOST,
    MESSAGE_NOT_FOUND,
    NOT_ALLOWED,
    NOT_IMPLEMENTED,
    RESOURCE_LIMIT,
    SERVER_BUSY,
    UNAUTHORIZED,
    AmqpError,
)
from local.bus.amqp.message import parse, timestamp
from local.bus.amqp.values import Array, Int, Symbol, Value, long_array, timestamp_array
from local.bus.broker.availability import QueueStep
from local.bus.broker.delivery import encode_entry
from local.bus.broker.entry import QueueEntry
from local.bus.broker.namespace import Namespace
from local.bus.broker.queue import Queue
from local.bus.security.principal import Right
from local.bus.server.incoming import Node
from local.bus.server.link import Link
from local.bus.server.requests import Request, read_request, send_response

MAX_PEEK_BYTES = 1024 * 1024
MAX_ITEMS = 1000

_STATUS = {
    UNAUTHORIZED: 401,
    MESSAGE_NOT_FOUND: 404,
    LOCK_LOST: 410,
    NOT_IMPLEMENTED: 501,
    RESOURCE_LIMIT: 403,
    ENTITY_DISABLED: 403,
    SERVER_BUSY: 503,
}

Arguments = Mapping[Value, Value]
Operation = Callable[[Namespace, Queue, Arguments], Value]


def management_node(queue: Queue) -> Node:
    """Make the node that executes operations on a queue."""

    def respond(link: Link, _message_format: int | None, data: bytes) -> None:
        request = read_request(data)
        status, description, condition, body = 200, "OK", None, None
        try:
            body = _run(link, queue, request)
            if body is None:
                status, description = 204, "No Content"
        except AmqpError as error:
            status = _STATUS.get(error.condition, 400)
            description, condition = error.description, Symbol(error.condition)
        properties: dict[Value, Value] = {
            "statusCode": Int(status),
            "statusDescription": description,
            "errorCondition": condition,
        }
        send_response(link, request, properties, body)

    return respond


def _run(link: Link, queue: Queue, request: Request) -> Value:
    right, operation = _OPERATIONS.get(request.operation, ("listen", _unknown))
    holder = link.session.claims.require(right, link.address)
    if queue.forward_to is not None:
        # Of all operations, also to schedule a message (azure-service-bus-dotnet 626): one that is
        # sent with its time as a property is taken.
        raise AmqpError(
            NOT_ALLOWED,
            "Cannot create a message browser on an entity with auto-forwarding enabled.",
        )
    if right == "listen":  # one to send is checked where the messages are put
        step: QueueStep = "browse" if operation is _peek else "receive"
        link.session.namespace.availability.require(queue, step)
    if not isinstance(request.body, dict):
        raise AmqpError(ARGUMENT_ERROR, "The request has no map for a body.")
    try:
        done = operation(link.session.namespace, queue, request.body)
    except DecodeError as error:
        raise AmqpError(ARGUMENT_ERROR, str(error)) from None
    link.session.claims.used(right, holder, link.address)
    return done


def _unknown(_namespace: Namespace, _queue: Queue, _arguments: Arguments) -> Value:
    raise AmqpError(NOT_IMPLEMENTED, "The operation is not supported.")


def _renew_lock(namespace: Namespace, queue: Queue, arguments: Arguments) -> Value:
    now = namespace.clock()
    ends = [queue.renew(token, now) for token in _tokens(arguments)]
    namespace.changed(queue)
    return {"expirations": timestamp_array(map(timestamp, ends))}


def _peek(namespace: Namespace, queue: Queue, arguments: Arguments) -> Value:
    start, count = arguments.get("from-sequence-number"), arguments.get("message-count")
    if not _is_int(start) or not _is_int(count) or count < 1:
        raise AmqpError(ARGUMENT_ERROR, "Peek needs a sequence number and a count.")
    encoded, size = [], 0
    for entry in queue.peek(start, min(count, MAX_ITEMS), namespace.clock()):
        encoded.append(encode_entry(entry))
        size += len(encoded[-1])
        if size > MAX_PEEK_BYTES:
            break
    if not encoded:
        return None
    return {"messages": [{"message": one} for one in encoded]}


def _schedule(namespace: Namespace, queue: Queue, arguments: Arguments) -> Value:
    if queue.is_dead_letter:
        raise AmqpError(ARGUMENT_ERROR, "Nothing can be sent to a dead-letter queue.")
    encoded = [
        item.get("message") if isinstance(item, dict) else None
        for item in _items(arguments, "messages")
    ]
    messages = [(parse(one), len(one)) for one in _all_of(encoded, bytes, "messages")]
    numbers = namespace.send(queue, messages)
    return {"sequence-numbers": long_array(numbers)}


def _cancel(namespace: Namespace, queue: Queue, arguments: Arguments) -> Value:
    queue.cancel(_numbers(arguments), namespace.clock())
    namespace.changed(queue)
    return {}


def _receive_deferred(namespace: Namespace, queue: Queue, arguments: Arguments) -> Value:
    mode = arguments.get("receiver-settle-mode")
    if not _is_int(mode) or mode not in (0, 1):
        raise AmqpError(ARGUMENT_ERROR, "receiver-settle-mode must be 0 or 1.")
    deletes = mode == 0
    entries = queue.receive_deferred(_numbers(arguments), namespace.clock(), delete=deletes)
    namespace.changed(queue)
    return {"messages": [_locked(entry) for entry in entries]}


def _locked(entry: QueueEntry) -> Value:
    message: dict[Value, Value] = {"message": encode_entry(entry)}
    if entry.lock is not None:
        message["lock-token"] = entry.lock.token
    return message


def _update_disposition(namespace: Namespace, queue: Queue, arguments: Arguments) -> Value:
    now, status = namespace.clock(), arguments.get("disposition-status")
    changes = _changes(arguments)
    reason = _text(arguments, "deadletter-reason")
    description = _text(arguments, "deadletter-description")
    for token in _tokens(arguments):
        match status:
            case "completed":
                queue.complete(token, now)
            case "abandoned":
                queue.abandon(token, now, changes)
            case "defered" | "deferred":
                queue.defer(token, now, changes)
            case "suspended":
                queue.dead_letter(token, now, reason, description, changes)
            case _:
                raise AmqpError(ARGUMENT_ERROR, "Unknown disposition status.")
    namespace.changed(queue)
    return {}


def _tokens(arguments: Arguments) -> list[UUID]:
    return _all_of(_items(arguments, "lock-tokens"), UUID, "lock-tokens")


def _numbers(arguments: Arguments) -> list[int]:
    return _all_of(_items(arguments, "sequence-numbers"), int, "sequence-numbers")


def _changes(arguments: Arguments) -> dict[str, Value]:
    given = arguments.get("properties-to-modify")
    if given is None:
        return {}
    if not isinstance(given, dict) or not all(isinstance(name, str) for name in given):
        raise AmqpError(ARGUMENT_ERROR, "properties-to-modify must be a map with names.")
    return {str(name): value for name, value in given.items()}


def _text(arguments: Arguments, name: str) -> str | None:
    given = arguments.get(name)
    if given is not None and not isinstance(given, str):
        raise AmqpError(ARGUMENT_ERROR, f"{name} must be a string.")
    return given


def _is_int(value: Value) -> TypeGuard[int]:
    return isinstance(value, int) and not isinstance(value, bool)


_Item = TypeVar("_Item", UUID, int, bytes)


def _all_of(items: list[Value], kind: type[_Item], name: str) -> list[_Item]:
    """Return the items. Raises AmqpError where one has another type: none is left out."""
    found = [item for item in items if isinstance(item, kind) and not isinstance(item, bool)]
    if len(found) != len(items):
        raise AmqpError(ARGUMENT_ERROR, f"Each of the {name} must be of the type documented.")
    return found


def _items(arguments: Arguments, name: str) -> list[Value]:
    given = arguments.get(name)
    items = list(given.items) if isinstance(given, Array) else given
    if not isinstance(items, list) or not 1 <= len(items) <= MAX_ITEMS:
        raise AmqpError(ARGUMENT_ERROR, f"The request has no {name}, or too many.")
    return items


_OPERATIONS: dict[str, tuple[Right, Operation]] = {
    "com.microsoft:renew-lock": ("listen", _renew_lock),
    "com.microsoft:peek-message": ("listen", _peek),
    "com.microsoft:schedule-message": ("send", _schedule),
    "com.microsoft:cancel-scheduled-message": ("send", _cancel),
    "com.microsoft:receive-by-sequence-number": ("listen", _receive_deferred),
    "com.microsoft:update-disposition": ("listen", _update_disposition),
}
