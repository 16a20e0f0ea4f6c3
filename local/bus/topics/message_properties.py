"""The properties of a message as rules see and change them.

Source: Microsoft Learn, "Messages, payloads, and serialization" (names of system properties);
OASIS AMQP 1.0, part 3, 3.2.4.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import UUID

from local.bus.amqp.message import (
    SCHEDULED_TIME,
    Message,
    application_properties,
    properties_fields,
    timestamp,
    with_properties,
)
from local.bus.amqp.values import (
    Byte,
    Decimal,
    Described,
    Float,
    Int,
    Long,
    Short,
    Symbol,
    Timestamp,
    UByte,
    UInt,
    ULong,
    UShort,
    Value,
)
from local.bus.topics.errors import RuleEvaluationError
from local.bus.topics.sql_values import UNKNOWN, Known, SqlValue

# System properties that are fields of the AMQP properties, by their position there.
_FIELDS = {
    "messageid": 0,
    "to": 2,
    "label": 3,
    "subject": 3,
    "replyto": 4,
    "correlationid": 5,
    "contenttype": 6,
    "sessionid": 10,
    "replytosessionid": 12,
}
_SYMBOLS = frozenset({6})
_ANNOTATIONS = {
    "partitionkey": "x-opt-partition-key",
    "transactionpartitionkey": "x-opt-via-partition-key",
    "viapartitionkey": "x-opt-via-partition-key",
    "scheduledenqueuetimeutc": str(SCHEDULED_TIME),
}
# What the broker sets later than rules are applied, in the subscription.
_LATER = frozenset(
    {
        *("deadlettersource", "deliverycount", "lockeduntilutc", "locktoken", "state"),
        *("enqueuedsequencenumber", "sequencenumber", "expiresatutc", "forcepersistence"),
    }
)
_SETTABLE = frozenset(_FIELDS) - {"messageid", "sessionid"}
_TIMESPAN = Symbol("com.microsoft:timespan")
_TICKS = 10_000_000  # in a second, as .NET counts


class MessageProperties:
    """The properties of one message, read and changed by names without case."""

    def __init__(self, message: Message, enqueued_at: float) -> None:
        self._message = message
        self._enqueued_at = enqueued_at
        self._fields = properties_fields(message)
        self._user = application_properties(message)
        self._names = {str(name).lower(): name for name in self._user}
        self._is_changed = False

    def system(self, name: str) -> SqlValue:
        """Return a system property; UNKNOWN for one that has no value.

        Raises RuleEvaluationError for one that does not exist.
        """
        key = name.lower()
        if key in _FIELDS:
            return sql_value(self._fields[_FIELDS[key]])
        if key in _ANNOTATIONS:
            return sql_value(self._message.annotations.get(Symbol(_ANNOTATIONS[key])))
        if key in _LATER:
            return UNKNOWN
        match key:
            case "enqueuedtimeutc":
                return _time(self._enqueued_at)
            case "size":
                return self._message.size
            case "timetolive" if self._message.time_to_live is not None:
                return timedelta(seconds=self._message.time_to_live)
            case "timetolive":
                return UNKNOWN
        raise RuleEvaluationError(f"There is no system property {name[:40]!r}.")

    def user(self, name: str) -> SqlValue:
        """Return an application property; UNKNOWN for one that is not there, or null."""
        found = self._names.get(name.lower())
        return UNKNOWN if found is None else sql_value(self._user[found])

    def set_system(self, name: str, value: SqlValue) -> None:
        """Change a system property; UNKNOWN empties it. Raises RuleEvaluationError."""
        key = name.lower()
        self.system(name)
        if key not in _SETTABLE:
            raise RuleEvaluationError(f"System property {name[:40]!r} cannot be set by a rule.")
        if value is UNKNOWN:
            content: Value = None
        elif isinstance(value, str):
            content = Symbol(value) if _FIELDS[key] in _SYMBOLS else value
        else:
            raise RuleEvaluationError(f"System property {name[:40]!r} takes a string.")
        self._fields[_FIELDS[key]] = content
        self._is_changed = True

    def set_user(self, name: str, value: SqlValue) -> None:
        """Set an application property; an existing number keeps its type where the value fits."""
        known = self._names.setdefault(name.lower(), name)
        self._user[known] = _like(self._user.get(known), value)
        self._is_changed = True

    def remove_user(self, name: str) -> None:
        """Remove an application property; one that is not there is no error."""
        known = self._names.pop(name.lower(), None)
        if known is not None:
            del self._user[known]
            self._is_changed = True

    def message(self) -> Message:
        """Return the message as it is now."""
        if not self._is_changed:
            return self._message
        return with_properties(self._message, self._fields, self._user)


def sql_value(value: Value) -> SqlValue:
    """Return an AMQP value as expressions see it; null counts as UNKNOWN.

    Raises RuleEvaluationError for a type that expressions have no value for.
    """
    match value:
        case None:
            return UNKNOWN
        case Timestamp():
            return _time(value / 1000)
        case Described(descriptor, int(ticks)) if descriptor == _TIMESPAN:
            return _duration(ticks)
        case Decimal():
            raise RuleEvaluationError("A decimal of AMQP cannot be used in a rule.")
        case Float():
            return float(value)
        case bool() | UUID() | bytes():
            return value
        case int():
            return int(value)
        case float():
            return float(value)
        case str():
            return str(value)
    raise RuleEvaluationError("A list, map or described value cannot be used in a rule.")


def amqp_value(value: SqlValue) -> Value:
    """Return a value of an expression as AMQP carries it."""
    match value:
        case bool() | float() | str() | bytes() | UUID():
            return value
        case int():
            return Long(value)
        case datetime():
            return timestamp(value.timestamp())
        case timedelta():
            return Described(_TIMESPAN, Long(value // timedelta(microseconds=1) * 10))
    return None


def _like(existing: Value, value: SqlValue) -> Value:
    if isinstance(value, bool) or not isinstance(value, int):
        return amqp_value(value)
    if isinstance(existing, Float):
        return Float(value)
    if isinstance(existing, float):
        return float(value)
    for kind, (low, high) in _RANGES.items():
        if isinstance(existing, kind) and low <= value <= high:
            return kind(value)
    return amqp_value(value)


_RANGES: dict[type[int], tuple[int, int]] = {
    UByte: (0, 2**8 - 1),
    UShort: (0, 2**16 - 1),
    UInt: (0, 2**32 - 1),
    ULong: (0, 2**64 - 1),
    Byte: (-(2**7), 2**7 - 1),
    Short: (-(2**15), 2**15 - 1),
    Int: (-(2**31), 2**31 - 1),
}


def _time(seconds: float) -> Known:
    try:
        return datetime.fromtimestamp(seconds, UTC)
    except (OverflowError, OSError, ValueError):
        raise RuleEvaluationError("A time is out of range.") from None


def _duration(ticks: int) -> Known:
    try:
        return timedelta(microseconds=ticks / 10)
    except OverflowError:
        raise RuleEvaluationError("A duration is out of range.") from None
