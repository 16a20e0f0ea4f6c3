"""What the source or target of an attach says.

Source: OASIS AMQP 1.0, part 3 (Messaging), 3.5.3 and 3.5.4; Microsoft, "AMQP 1.0 protocol guide",
for the session filter.
"""

from __future__ import annotations

from dataclasses import dataclass

from local.bus.amqp import performatives as amqp
from local.bus.amqp.errors import INVALID_FIELD, AmqpError
from local.bus.amqp.values import Described, Symbol, Value

SESSION_FILTER = "com.microsoft:session-filter"

_SOURCE, _TARGET = 0x28, 0x29
_ADDRESS, _FILTER = 0, 7


@dataclass(frozen=True)
class SessionFilter:
    """A receiver's wish for the session of that id, or for any that is free where it is None."""

    session_id: str | None


def address_of(attach: amqp.Attach) -> str | None:
    """Return the address of the node that an attach is to, or None without one."""
    if attach.role == amqp.RECEIVER:
        return _text(attach.source, _SOURCE)
    return _text(attach.target, _TARGET)


def reply_address_of(attach: amqp.Attach) -> str | None:
    """Return the address by which a client names its own end of a link that it receives on."""
    return _text(attach.target, _TARGET)


def session_filter_of(attach: amqp.Attach) -> SessionFilter | None:
    """Return the session filter of a receiver. Raises AmqpError where it is malformed."""
    filters = _field(attach.source, _SOURCE, _FILTER)
    if not isinstance(filters, dict) or SESSION_FILTER not in filters:
        return None
    wanted = filters[SESSION_FILTER]
    if isinstance(wanted, Described):
        wanted = wanted.value
    if wanted is not None and not isinstance(wanted, str):
        raise AmqpError(INVALID_FIELD, "A session filter must be a session id or null.")
    return SessionFilter(wanted)


def with_session(attach: amqp.Attach, session_id: str) -> Described | None:
    """Return the source of a receiver with the id of the session that it got in the filter."""
    source = attach.source
    if source is None or not isinstance(source.value, list):
        return source
    fields = list(source.value)
    filters = _field(source, _SOURCE, _FILTER)
    given = filters if isinstance(filters, dict) else {}
    fields[_FILTER] = {**given, Symbol(SESSION_FILTER): session_id}
    return Described(source.descriptor, fields)


def _field(terminus: Described | None, code: int, index: int) -> Value:
    if terminus is None or terminus.descriptor != code or not isinstance(terminus.value, list):
        return None
    return terminus.value[index] if len(terminus.value) > index else None


def _text(terminus: Described | None, code: int) -> str | None:
    address = _field(terminus, code, _ADDRESS)
    return address if isinstance(address, str) else None
