"""A parsed SQL expression of a rule, and what it says of a message.

Source: Microsoft Learn, "Subscription Rule SQL Filter Syntax".
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol
from uuid import uuid4

from local.bus.topics.errors import RuleEvaluationError
from local.bus.topics.sql_values import (
    UNKNOWN,
    SqlValue,
    Truth,
    both,
    calculate,
    compare,
    either,
    is_like,
    negated,
    sign,
)


class Properties(Protocol):
    """The properties of one message, by names without case."""

    def system(self, name: str) -> SqlValue:
        """Return a system property. Raises RuleEvaluationError for one that does not exist."""

    def user(self, name: str) -> SqlValue:
        """Return an application property; UNKNOWN for one that is not there."""


@dataclass(frozen=True)
class Scope:
    """What an expression is evaluated against. Names of parameters begin with @."""

    properties: Properties
    parameters: Mapping[str, SqlValue]


class Expression(Protocol):
    """What has a value."""

    def value(self, scope: Scope) -> SqlValue:
        """Return it. Raises RuleEvaluationError."""


class Predicate(Protocol):
    """What is true, false or unknown."""

    def truth(self, scope: Scope) -> Truth:
        """Return which. Raises RuleEvaluationError."""


@dataclass(frozen=True)
class Constant:
    """A value as it is written."""

    content: SqlValue

    def value(self, scope: Scope) -> SqlValue:  # noqa: ARG002 - it depends on nothing
        """Return it."""
        return self.content


@dataclass(frozen=True)
class Parameter:
    """A value that is given with the rule."""

    name: str

    def value(self, scope: Scope) -> SqlValue:
        """Look it up."""
        return scope.parameters.get(self.name, UNKNOWN)


@dataclass(frozen=True)
class Property:
    """A system property, or one of the application."""

    name: str
    is_system: bool = False

    def value(self, scope: Scope) -> SqlValue:
        """Look it up."""
        read = scope.properties.system if self.is_system else scope.properties.user
        return read(self.name)


@dataclass(frozen=True)
class NewId:
    """A GUID that nothing else has."""

    def value(self, scope: Scope) -> SqlValue:  # noqa: ARG002 - it depends on nothing
        """Make it."""
        return uuid4()


@dataclass(frozen=True)
class PropertyNamed:
    """The application property whose name an expression makes."""

    name: Expression

    def value(self, scope: Scope) -> SqlValue:
        """Look it up."""
        name = self.name.value(scope)
        if name is UNKNOWN:
            return UNKNOWN
        if not isinstance(name, str):
            raise RuleEvaluationError("property() needs a string.")
        return scope.properties.user(name)


@dataclass(frozen=True)
class Signed:
    """A number with + or - before it."""

    operator: str
    operand: Expression

    def value(self, scope: Scope) -> SqlValue:
        """Calculate it."""
        return sign(self.operator, self.operand.value(scope))


@dataclass(frozen=True)
class Calculation:
    """Two values with + - * / or % between them."""

    operator: str
    left: Expression
    right: Expression

    def value(self, scope: Scope) -> SqlValue:
        """Calculate it."""
        return calculate(self.operator, self.left.value(scope), self.right.value(scope))


@dataclass(frozen=True)
class Comparison:
    """Two values that are compared."""

    operator: str
    left: Expression
    right: Expression

    def truth(self, scope: Scope) -> Truth:
        """Compare them."""
        return compare(self.operator, self.left.value(scope), self.right.value(scope))


@dataclass(frozen=True)
class IsNull:
    """Whether a property is not there, or null."""

    operand: Property | PropertyNamed

    def truth(self, scope: Scope) -> Truth:
        """Look; this is never unknown."""
        return self.operand.value(scope) is UNKNOWN


@dataclass(frozen=True)
class IsIn:
    """Whether a value is among others."""

    operand: Expression
    items: tuple[Expression, ...]

    def truth(self, scope: Scope) -> Truth:
        """Compare it with each, in order, until one is equal."""
        value = self.operand.value(scope)
        found: Truth = False
        for item in self.items:
            found = either(found, compare("=", value, item.value(scope)))
            if found is True:
                break
        return found


@dataclass(frozen=True)
class Like:
    """Whether a string matches a pattern."""

    operand: Expression
    pattern: Expression
    escape: Expression | None

    def truth(self, scope: Scope) -> Truth:
        """Match it."""
        escape = self.escape.value(scope) if self.escape else None
        return is_like(self.operand.value(scope), self.pattern.value(scope), escape)


@dataclass(frozen=True)
class Not:
    """The opposite."""

    operand: Predicate

    def truth(self, scope: Scope) -> Truth:
        """Negate it."""
        return negated(self.operand.truth(scope))


@dataclass(frozen=True)
class And:
    """Whether all are true; after a false one the rest is not looked at."""

    operands: tuple[Predicate, ...]

    def truth(self, scope: Scope) -> Truth:
        """Combine them."""
        found: Truth = True
        for operand in self.operands:
            found = both(found, operand.truth(scope))
            if found is False:
                break
        return found


@dataclass(frozen=True)
class Or:
    """Whether one is true; after it the rest is not looked at."""

    operands: tuple[Predicate, ...]

    def truth(self, scope: Scope) -> Truth:
        """Combine them."""
        found: Truth = False
        for operand in self.operands:
            found = either(found, operand.truth(scope))
            if found is True:
                break
        return found


@dataclass(frozen=True)
class SetProperty:
    """A statement of an action: give a property a value."""

    target: Property
    content: Expression


@dataclass(frozen=True)
class RemoveProperty:
    """A statement of an action: remove a property."""

    target: Property


Statement = SetProperty | RemoveProperty
