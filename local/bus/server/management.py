"""Operations on a queue by request and response.

Source: Microsoft Learn, "AMQP 1.0 in Azure Service Bus: request-response-based operations".
"""

from __future__ import annotations

from collections.abc import Callable

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
    SESSION_LOCK_LOST,
    UNAUTHORIZED,
    AmqpError,
)
from local.bus.amqp.message import parse, timestamp
from local.bus.amqp.values import Int, Symbol, Value, long_array, timestamp_array
from local.bus.broker.availability import QueueStep
from local.bus.broker.delivery import encode_entry
from local.bus.broker.entry import QueueEntry
from local.bus.broker.queue import Queue
from local.bus.security.principal import Right
from local.bus.server.arguments import (
    MAX_ITEMS,
    Call,
    all_of,
    changes,
    is_int,
    items,
    numbers,
    text,
    tokens,
)
from local.bus.server.incoming import Node
from local.bus.server.link import Link
from local.bus.server.message_sessions import (
    get_message_sessions,
    get_session_state,
    renew_session_lock,
    set_session_state,
)
from local.bus.server.requests import Request, read_request, send_response

MAX_PEEK_BYTES = 1024 * 1024

_STATUS = {
    UNAUTHORIZED: 401,
    MESSAGE_NOT_FOUND: 404,
    LOCK_LOST: 410,
    SESSION_LOCK_LOST: 410,
    NOT_IMPLEMENTED: 501,
    RESOURCE_LIMIT: 403,
    ENTITY_DISABLED: 403,
    SERVER_BUSY: 503,
}

Operation = Callable[[Call], Value]


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
        done = operation(Call(link.session.namespace, queue, request.body, link.session.claims))
    except DecodeError as error:
        raise AmqpError(ARGUMENT_ERROR, str(error)) from None
    link.session.claims.used(right, holder, link.address)
    return done


def _unknown(_call: Call) -> Value:
    raise AmqpError(NOT_IMPLEMENTED, "The operation is not supported.")


def _renew_lock(call: Call) -> Value:
    if call.queue.sessions is not None:
        raise AmqpError(NOT_ALLOWED, "Messages are locked with their session: renew its lock.")
    now = call.now
    ends = [call.queue.renew(token, now) for token in tokens(call.arguments)]
    call.namespace.changed(call.queue)
    return {"expirations": timestamp_array(map(timestamp, ends))}


def _peek(call: Call) -> Value:
    start, count = call.arguments.get("from-sequence-number"), call.arguments.get("message-count")
    if not is_int(start) or not is_int(count) or count < 1:
        raise AmqpError(ARGUMENT_ERROR, "Peek needs a sequence number and a count.")
    encoded, size = [], 0
    session_id = text(call.arguments, "session-id")
    for entry in call.queue.peek(start, min(count, MAX_ITEMS), call.now, session_id):
        encoded.append(encode_entry(entry))
        size += len(encoded[-1])
        if size > MAX_PEEK_BYTES:
            break
    if not encoded:
        return None
    return {"messages": [{"message": one} for one in encoded]}


def _schedule(call: Call) -> Value:
    if call.queue.is_dead_letter:
        raise AmqpError(ARGUMENT_ERROR, "Nothing can be sent to a dead-letter queue.")
    encoded = [
        item.get("message") if isinstance(item, dict) else None
        for item in items(call.arguments, "messages")
    ]
    messages = [(parse(one), len(one)) for one in all_of(encoded, bytes, "messages")]
    return {"sequence-numbers": long_array(call.namespace.send(call.queue, messages))}


def _cancel(call: Call) -> Value:
    call.queue.cancel(numbers(call.arguments), call.now)
    call.namespace.changed(call.queue)
    return {}


def _receive_deferred(call: Call) -> Value:
    mode = call.arguments.get("receiver-settle-mode")
    if not is_int(mode) or mode not in (0, 1):
        raise AmqpError(ARGUMENT_ERROR, "receiver-settle-mode must be 0 or 1.")
    deletes = mode == 0
    entries = call.queue.receive_deferred(
        numbers(call.arguments), call.now, delete=deletes, session=call.session()
    )
    call.namespace.changed(call.queue)
    return {"messages": [_locked(entry) for entry in entries]}


def _locked(entry: QueueEntry) -> Value:
    message: dict[Value, Value] = {"message": encode_entry(entry)}
    if entry.lock is not None:
        message["lock-token"] = entry.lock.token
    return message


def _update_disposition(call: Call) -> Value:
    now, status = call.now, call.arguments.get("disposition-status")
    changed = changes(call.arguments)
    reason = text(call.arguments, "deadletter-reason")
    description = text(call.arguments, "deadletter-description")
    for token in tokens(call.arguments):
        match status:
            case "completed":
                call.queue.complete(token, now)
            case "abandoned":
                call.queue.abandon(token, now, changed)
            case "defered" | "deferred":
                call.queue.defer(token, now, changed)
            case "suspended":
                call.queue.dead_letter(token, now, reason, description, changed)
            case _:
                raise AmqpError(ARGUMENT_ERROR, "Unknown disposition status.")
    call.namespace.changed(call.queue)
    return {}


_OPERATIONS: dict[str, tuple[Right, Operation]] = {
    "com.microsoft:renew-lock": ("listen", _renew_lock),
    "com.microsoft:peek-message": ("listen", _peek),
    "com.microsoft:schedule-message": ("send", _schedule),
    "com.microsoft:cancel-scheduled-message": ("send", _cancel),
    "com.microsoft:receive-by-sequence-number": ("listen", _receive_deferred),
    "com.microsoft:update-disposition": ("listen", _update_disposition),
    "com.microsoft:renew-session-lock": ("listen", renew_session_lock),
    "com.microsoft:get-session-state": ("listen", get_session_state),
    "com.microsoft:set-session-state": ("listen", set_session_state),
    "com.microsoft:get-message-sessions": ("listen", get_message_sessions),
}
