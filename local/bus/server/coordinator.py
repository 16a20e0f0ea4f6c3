"""The link on which a client begins and ends its transactions.

Source: OASIS AMQP 1.0, part 4 (Transactions), 4.5.
"""

from __future__ import annotations

from local.bus.amqp.decoding import decode
from local.bus.amqp.errors import INVALID_FIELD, NOT_IMPLEMENTED, AmqpError
from local.bus.amqp.message import parse
from local.bus.amqp.values import Described, ULong, Value
from local.bus.broker.settlement import ACCEPTED
from local.bus.server.link import Link

_DECLARE, _DISCHARGE, _DECLARED, _TRANSACTIONAL = 0x31, 0x32, 0x33, 0x34


def coordinate(link: Link, data: bytes) -> Described:
    """Do what a message to the coordinator asks for; return the outcome. Raises AmqpError."""
    body, _ = decode(parse(data).body)
    asked = body.value if isinstance(body, Described) else None
    if not isinstance(asked, Described) or not isinstance(asked.value, list):
        raise AmqpError(INVALID_FIELD, "The coordinator takes declare and discharge.")
    fields = [*asked.value, None, None]
    if asked.descriptor == _DECLARE:
        if fields[0] is not None:
            raise AmqpError(NOT_IMPLEMENTED, "There are no distributed transactions.")
        return Described(ULong(_DECLARED), [link.session.transactions.declare()])
    if asked.descriptor == _DISCHARGE and isinstance(fields[0], bytes):
        link.session.transactions.discharge(fields[0], fails=fields[1] is True)
        return ACCEPTED
    raise AmqpError(INVALID_FIELD, "The coordinator takes declare and discharge.")


def transaction_of(state: Described | None) -> bytes | None:
    """Return the id of the transaction that a transfer or outcome is a part of, if any."""
    if state is None or state.descriptor != _TRANSACTIONAL:
        return None
    fields = state.value if isinstance(state.value, list) else []
    if not fields or not isinstance(fields[0], bytes):
        raise AmqpError(INVALID_FIELD, "A transactional state needs the id of a transaction.")
    return fields[0]


def outcome_in(state: Described) -> Described:
    """Return the outcome inside of a transactional state. Raises AmqpError."""
    fields = state.value if isinstance(state.value, list) else []
    if len(fields) < 2 or not isinstance(fields[1], Described):
        raise AmqpError(INVALID_FIELD, "A transactional state needs an outcome here.")
    return fields[1]


def in_transaction(transaction_id: bytes, outcome: Described) -> Described:
    """Return an outcome as one that is a part of a transaction."""
    fields: list[Value] = [transaction_id, outcome]
    return Described(ULong(_TRANSACTIONAL), fields)
