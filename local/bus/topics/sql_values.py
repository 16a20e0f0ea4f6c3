"""Values in SQL expressions of rules, and the operators on them.

Operators bind as C# binds them; what is not there is `UNKNOWN`, and so is what comes of it.
Source: Microsoft Learn, "Subscription Rule SQL Filter Syntax", operator binding semantics.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from datetime import datetime, timedelta
from enum import Enum
from typing import Final, TypeAlias
from uuid import UUID

from local.bus.topics.errors import RuleEvaluationError


class Unknown(Enum):
    """The third value of logic beside true and false: that of a property that is not there."""

    UNKNOWN = "unknown"


UNKNOWN: Final = Unknown.UNKNOWN
Known: TypeAlias = bool | int | float | str | UUID | datetime | timedelta | bytes
SqlValue: TypeAlias = Known | Unknown
Truth: TypeAlias = bool | Unknown

MAX_TEXT = 64 * 1024  # characters: a message has no longer property
_INT64 = 2**63


def both(left: Truth, right: Truth) -> Truth:
    """Return what AND makes of two truths."""
    if left is False or right is False:
        return False
    return UNKNOWN if UNKNOWN in (left, right) else True


def either(left: Truth, right: Truth) -> Truth:
    """Return what OR makes of two truths."""
    if left is True or right is True:
        return True
    return UNKNOWN if UNKNOWN in (left, right) else False


def negated(truth: Truth) -> Truth:
    """Return what NOT makes of a truth."""
    return UNKNOWN if truth is UNKNOWN else not truth


def compare(operator: str, left: SqlValue, right: SqlValue) -> Truth:
    """Compare two values by one of = <> != < > <= >=. Raises RuleEvaluationError."""
    if isinstance(left, Unknown) or isinstance(right, Unknown):
        return UNKNOWN
    if not _comparable(left, right):
        raise RuleEvaluationError(
            f"Operator {operator} cannot be applied to {_type(left)} and {_type(right)}."
        )
    if operator in ("=", "<>", "!="):
        return (left == right) is (operator == "=")
    if isinstance(left, bool | UUID | bytes):
        raise RuleEvaluationError(f"Operator {operator} cannot be applied to {_type(left)}.")
    return _ORDERS[operator](_order(left, right))


def calculate(operator: str, left: SqlValue, right: SqlValue) -> SqlValue:
    """Calculate with one of + - * / %. Raises RuleEvaluationError."""
    if isinstance(left, Unknown) or isinstance(right, Unknown):
        return UNKNOWN
    if operator == "+" and (isinstance(left, str) or isinstance(right, str)):
        joined = text_of(left) + text_of(right)
        if len(joined) > MAX_TEXT:
            raise RuleEvaluationError("The text that the expression makes is too long.")
        return joined
    if _is_number(left) and _is_number(right):
        return _calculate_numbers(operator, left, right)
    return _calculate_times(operator, left, right)


def sign(operator: str, value: SqlValue) -> SqlValue:
    """Return a number with + or - before it. Raises RuleEvaluationError."""
    if isinstance(value, Unknown):
        return UNKNOWN
    if not _is_number(value):
        raise RuleEvaluationError(f"Operator {operator} cannot be applied to {_type(value)}.")
    return calculate("-", 0, value) if operator == "-" else value


def is_like(value: SqlValue, pattern: SqlValue, escape: SqlValue | None) -> Truth:
    """Match a string with a pattern of % and _. Raises RuleEvaluationError."""
    if UNKNOWN in (value, pattern, escape):
        return UNKNOWN
    if not isinstance(value, str) or not isinstance(pattern, str):
        raise RuleEvaluationError("LIKE compares a string with a string.")
    if escape is not None and not (isinstance(escape, str) and len(escape) == 1):
        raise RuleEvaluationError("ESCAPE needs a string of one character.")
    return _matches(value, _wildcards(pattern, escape))


def text_of(value: Known) -> str:
    """Write a value as text, as C# does with an invariant culture."""
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e15:
        return str(int(value))
    return value.hex() if isinstance(value, bytes) else str(value)


# A wildcard is one of these; every other item of a pattern is a character.
_ANY_TEXT, _ANY_CHARACTER = object(), object()


def _wildcards(pattern: str, escape: str | None) -> list[object]:
    items: list[object] = []
    is_escaped = False
    for character in pattern:
        if not is_escaped and character == escape:
            is_escaped = True
            continue
        wildcard = {"%": _ANY_TEXT, "_": _ANY_CHARACTER}.get(character)
        items.append(character if is_escaped or wildcard is None else wildcard)
        is_escaped = False
    if is_escaped:
        raise RuleEvaluationError("The pattern ends with its escape character.")
    return items


def _matches(text: str, pattern: list[object]) -> bool:
    # Without a regular expression: its time could grow by a power of the text for each %.
    at = item = 0
    restart: tuple[int, int] | None = None
    while at < len(text):
        if item < len(pattern) and pattern[item] is _ANY_TEXT:
            restart = (item + 1, at)
            item += 1
        elif item < len(pattern) and pattern[item] in (_ANY_CHARACTER, text[at]):
            item, at = item + 1, at + 1
        elif restart is not None:
            restart = (restart[0], restart[1] + 1)
            item, at = restart
        else:
            return False
    return all(rest is _ANY_TEXT for rest in pattern[item:])


def _calculate_numbers(operator: str, left: Known, right: Known) -> Known:
    assert isinstance(left, int | float)  # noqa: S101 - the caller looked
    assert isinstance(right, int | float)  # noqa: S101
    if isinstance(left, float) or isinstance(right, float):
        return _calculate_floats(operator, float(left), float(right))
    if operator in "/%":
        if right == 0:
            raise RuleEvaluationError("Division by zero.")
        quotient = abs(left) // abs(right) * (1 if (left < 0) == (right < 0) else -1)
        return _int64(quotient if operator == "/" else left - quotient * right)
    exact = {"+": left + right, "-": left - right, "*": left * right}[operator]
    return _int64(exact)


def _calculate_floats(operator: str, left: float, right: float) -> float:
    try:
        match operator:
            case "+":
                return left + right
            case "-":
                return left - right
            case "*":
                return left * right
            case "/":
                return left / right
            case _:
                return math.fmod(left, right)
    except (ZeroDivisionError, ValueError):
        # As of IEEE 754: no error, but infinity or not a number.
        return math.nan if operator == "%" or not left else math.copysign(math.inf, left)


def _calculate_times(operator: str, left: Known, right: Known) -> Known:
    try:
        match operator, left, right:
            case "+", datetime(), timedelta():
                return left + right
            case "-", datetime(), timedelta():
                return left - right
            case "-", datetime(), datetime():
                return left - right
            case "+", timedelta(), timedelta():
                return left + right
            case "-", timedelta(), timedelta():
                return left - right
    except (OverflowError, TypeError):
        raise RuleEvaluationError("The time that the expression makes is out of range.") from None
    raise RuleEvaluationError(
        f"Operator {operator} cannot be applied to {_type(left)} and {_type(right)}."
    )


def _int64(value: int) -> int:
    """Wrap around as unchecked arithmetic does."""
    return (value + _INT64) % (2 * _INT64) - _INT64


def _is_number(value: Known) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _comparable(left: Known, right: Known) -> bool:
    return (_is_number(left) and _is_number(right)) or _type(left) == _type(right)


def _type(value: Known) -> str:
    if isinstance(value, bool):
        return "a boolean"
    if isinstance(value, int | float):
        return "an integer" if isinstance(value, int) else "a decimal"
    for known, name in _TYPES.items():
        if isinstance(value, known):
            return name
    return "binary"


_TYPES: dict[type, str] = {
    str: "a string",
    UUID: "a GUID",
    datetime: "a time",
    timedelta: "a duration",
}


def _order(left: Known, right: Known) -> float:
    """Return a number below, above or at zero; not a number where there is no order."""
    if left == right:
        return 0
    if isinstance(left, float) and math.isnan(left):
        return math.nan
    if isinstance(right, float) and math.isnan(right):
        return math.nan
    return -1 if left < right else 1  # type: ignore[operator] # of comparable types


_ORDERS: dict[str, Callable[[float], bool]] = {
    "<": lambda order: order < 0,
    ">": lambda order: order > 0,
    "<=": lambda order: order <= 0,
    ">=": lambda order: order >= 0,
}
