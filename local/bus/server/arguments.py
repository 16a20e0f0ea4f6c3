"""The body of a request for an operation, read strictly: nothing in it is left out silently."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeAlias, TypeGuard, TypeVar
from uuid import UUID

from local.bus.amqp.errors import ARGUMENT_ERROR, AmqpError
from local.bus.amqp.values import Array, Value
from local.bus.broker.message_sessions import MessageSessionLock
from local.bus.broker.namespace import Namespace
from local.bus.broker.queue import Queue

MAX_ITEMS = 1000

Arguments: TypeAlias = Mapping[Value, Value]
_Item = TypeVar("_Item", UUID, int, bytes)


@dataclass(frozen=True)
class Call:
    """An operation on a queue. `owner` is whose message sessions it may use: the connection."""

    namespace: Namespace
    queue: Queue
    arguments: Arguments
    owner: object

    @property
    def now(self) -> float:
        """The time of the queue, in seconds since 1970."""
        return self.namespace.clock()

    def session(self) -> MessageSessionLock | None:
        """Return the session that is named, or None where none is. Raises AmqpError.

        It must be locked by the same connection.
        """
        session_id = text(self.arguments, "session-id")
        if session_id is None or self.queue.sessions is None:
            return None
        self.queue.advance(self.now)
        return self.queue.sessions.held_by(session_id, self.owner)


def tokens(arguments: Arguments) -> list[UUID]:
    """Return the lock tokens. Raises AmqpError."""
    return all_of(items(arguments, "lock-tokens"), UUID, "lock-tokens")


def numbers(arguments: Arguments) -> list[int]:
    """Return the sequence numbers. Raises AmqpError."""
    return all_of(items(arguments, "sequence-numbers"), int, "sequence-numbers")


def changes(arguments: Arguments) -> dict[str, Value]:
    """Return the properties to modify. Raises AmqpError."""
    given = arguments.get("properties-to-modify")
    if given is None:
        return {}
    if not isinstance(given, dict) or not all(isinstance(name, str) for name in given):
        raise AmqpError(ARGUMENT_ERROR, "properties-to-modify must be a map with names.")
    return {str(name): value for name, value in given.items()}


def text(arguments: Arguments, name: str) -> str | None:
    """Return a string that may be absent. Raises AmqpError."""
    given = arguments.get(name)
    if given is not None and not isinstance(given, str):
        raise AmqpError(ARGUMENT_ERROR, f"{name} must be a string.")
    return given


def is_int(value: Value) -> TypeGuard[int]:
    """Return whether a value is an integer, and not a boolean."""
    return isinstance(value, int) and not isinstance(value, bool)


def all_of(given: list[Value], kind: type[_Item], name: str) -> list[_Item]:
    """Return the items. Raises AmqpError where one has another type: none is left out."""
    found = [item for item in given if isinstance(item, kind) and not isinstance(item, bool)]
    if len(found) != len(given):
        raise AmqpError(ARGUMENT_ERROR, f"Each of the {name} must be of the type documented.")
    return found


def items(arguments: Arguments, name: str) -> list[Value]:
    """Return a list or array that has items, and not too many. Raises AmqpError."""
    given = arguments.get(name)
    found = list(given.items) if isinstance(given, Array) else given
    if not isinstance(found, list) or not 1 <= len(found) <= MAX_ITEMS:
        raise AmqpError(ARGUMENT_ERROR, f"The request has no {name}, or too many.")
    return found
