"""Outcomes of deliveries: their encoding, and what they do to a message.

Source: OASIS AMQP 1.0, part 3, 3.4; Microsoft, "AMQP 1.0 protocol guide", for the mapping.
"""

from __future__ import annotations

from enum import IntEnum
from uuid import UUID

from local.bus.amqp.errors import DEAD_LETTER, INVALID_FIELD, AmqpError
from local.bus.amqp.values import Described, ULong, Value
from local.bus.broker.queue import Queue


class DeliveryState(IntEnum):
    """The delivery states of AMQP, by their descriptors."""

    RECEIVED = 0x23
    ACCEPTED = 0x24
    REJECTED = 0x25
    RELEASED = 0x26
    MODIFIED = 0x27


ACCEPTED = Described(ULong(DeliveryState.ACCEPTED), [])


def rejected(error: AmqpError | None) -> Described:
    """Return outcome `rejected`; without an error it confirms a dead-lettering."""
    return Described(ULong(DeliveryState.REJECTED), [error.wire() if error else None])


def settle(queue: Queue, token: UUID, state: Described, now: float) -> Described | None:
    """Apply a client's outcome to the message locked by `token`; return the outcome to answer.

    None for the state `received`, which is not an outcome. Raises AmqpError.
    """
    fields = state.value if isinstance(state.value, list) else []
    match state.descriptor:
        case DeliveryState.RECEIVED:
            return None
        case DeliveryState.ACCEPTED:
            queue.complete(token, now)
        case DeliveryState.REJECTED:
            _reject(queue, token, fields, now)
            return rejected(None)
        case DeliveryState.RELEASED:
            queue.release(token, now)
        case DeliveryState.MODIFIED:
            _modify(queue, token, fields, now)
        case _:
            raise AmqpError(INVALID_FIELD, "Unknown outcome.")
    return Described(state.descriptor, fields)


def _modify(queue: Queue, token: UUID, fields: list[Value], now: float) -> None:
    undeliverable_here = len(fields) > 1 and fields[1] is True
    changes = _texts(fields[2]) if len(fields) > 2 else {}
    if undeliverable_here:
        queue.defer(token, now, changes)
    else:
        queue.abandon(token, now, changes)


def _reject(queue: Queue, token: UUID, fields: list[Value], now: float) -> None:
    """Dead-letter, with the reason from the error's info, or else from the error itself."""
    error = fields[0].value if fields and isinstance(fields[0], Described) else None
    condition, description, info = (
        [*error, None, None, None] if isinstance(error, list) else [None] * 3
    )[:3]
    changes = _texts(info)
    reason = changes.pop("DeadLetterReason", None if condition == DEAD_LETTER else condition)
    error_description = changes.pop("DeadLetterErrorDescription", description)
    queue.dead_letter(token, now, text_of(reason), text_of(error_description), changes)


def text_of(value: Value) -> str | None:
    """Return a string, or None for anything else."""
    return str(value) if isinstance(value, str) else None


def _texts(value: Value) -> dict[str, Value]:
    if not isinstance(value, dict):
        return {}
    return {str(name): item for name, item in value.items() if isinstance(name, str)}
