"""Operations on the message sessions of a queue by request and response.

Source: Microsoft Learn, "AMQP 1.0 in Azure Service Bus: request-response-based operations".
"""

from __future__ import annotations

from local.bus.amqp.errors import ARGUMENT_ERROR, NOT_ALLOWED, AmqpError, MessageTooLargeError
from local.bus.amqp.message import timestamp
from local.bus.amqp.values import Int, Value
from local.bus.broker.message_sessions import MessageSessionLock, MessageSessions
from local.bus.server.arguments import Call, is_int

# What clients send for "the sessions that have messages", whatever became of their state: the last
# moment that .NET knows, in milliseconds; Python leaves out the last three digits.
_ALL_WITH_MESSAGES = 253_402_300_799_000


def renew_session_lock(call: Call) -> Value:
    """Start the lock's time again."""
    sessions, lock = _locked(call)
    until = sessions.renew(lock, call.now)
    call.namespace.changed(call.queue)
    return {"expiration": timestamp(until)}


def get_session_state(call: Call) -> Value:
    """Return what the session was given."""
    sessions, lock = _locked(call)
    return {"session-state": sessions.state(lock.session_id)}


def set_session_state(call: Call) -> Value:
    """Replace it; null takes it away."""
    sessions, lock = _locked(call)
    state = call.arguments.get("session-state")
    if state is not None and not isinstance(state, bytes):
        raise AmqpError(ARGUMENT_ERROR, "session-state must be binary or null.")
    size, limit = len(state or b""), call.queue.spec.max_message_bytes
    if size > limit:
        raise MessageTooLargeError(size, limit)
    if not call.queue.has_room(size):
        raise call.queue.full()
    sessions.set_state(lock, state, call.now)
    return {}


def get_message_sessions(call: Call) -> Value:
    """Return a page of the sessions with messages, or of those whose state was set since a time."""
    sessions = _sessions(call)
    since, skip, top = (call.arguments.get(name) for name in ("last-updated-time", "skip", "top"))
    if not is_int(since) or not is_int(skip) or not is_int(top) or skip < 0 or top < 1:
        raise AmqpError(ARGUMENT_ERROR, "The request needs last-updated-time, skip and top.")
    found = (
        sessions.with_messages()
        if since >= _ALL_WITH_MESSAGES
        else sessions.updated_since(since / 1000)
    )
    page = found[skip : skip + top]
    if not page:
        return None
    return {"skip": Int(skip + len(page)), "sessions-ids": list[Value](page)}


def _sessions(call: Call) -> MessageSessions:
    if call.queue.sessions is None:
        raise AmqpError(NOT_ALLOWED, "The entity does not require sessions.")
    return call.queue.sessions


def _locked(call: Call) -> tuple[MessageSessions, MessageSessionLock]:
    sessions, lock = _sessions(call), call.session()
    if lock is None:
        raise AmqpError(ARGUMENT_ERROR, "The request has no session-id.")
    return sessions, lock
