"""The rules of a subscription: which messages it takes, and what it changes of them.

Source: Microsoft Learn, "Topic filters and actions".
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Protocol

from local.bus.amqp.message import Message
from local.bus.topics.errors import RuleEvaluationError
from local.bus.topics.message_properties import MessageProperties
from local.bus.topics.sql_nodes import Predicate, Scope, SetProperty, Statement
from local.bus.topics.sql_parser import parse_action, parse_filter
from local.bus.topics.sql_values import SqlValue
from local.deployment.rules import (
    CorrelationFilterSpec,
    FalseFilterSpec,
    FilterSpec,
    RuleSpec,
    SqlSpec,
    TrueFilterSpec,
)

RULE_NAME = "RuleName"  # the property that names the rule whose action changed a message


class MessageFilter(Protocol):
    """A condition on messages."""

    def matches(self, properties: MessageProperties) -> bool:
        """Return whether a message fulfils it. Raises RuleEvaluationError."""


@dataclass(frozen=True)
class ConstantFilter:
    """Matches every message, or none."""

    answer: bool

    def matches(self, properties: MessageProperties) -> bool:  # noqa: ARG002 - whatever they are
        """Return the answer."""
        return self.answer


@dataclass(frozen=True)
class SqlFilter:
    """Matches where an expression is true; unknown is not enough."""

    predicate: Predicate
    parameters: Mapping[str, SqlValue]

    def matches(self, properties: MessageProperties) -> bool:
        """Evaluate the expression."""
        return self.predicate.truth(Scope(properties, self.parameters)) is True


@dataclass(frozen=True)
class CorrelationFilter:
    """Matches where all the given properties are equal, as strings are with regard to case."""

    system: Mapping[str, str]
    user: Mapping[str, SqlValue]

    def matches(self, properties: MessageProperties) -> bool:
        """Compare them; a value of another type is not equal, and is no error."""
        pairs = [
            *((properties.system(name), value) for name, value in self.system.items()),
            *((properties.user(name), value) for name, value in self.user.items()),
        ]
        return all(_is_same(found, wanted) for found, wanted in pairs)


@dataclass(frozen=True)
class SqlAction:
    """Changes properties of a message, one statement after the other."""

    statements: tuple[Statement, ...]
    parameters: Mapping[str, SqlValue]

    def apply(self, properties: MessageProperties) -> None:
        """Execute the statements. Raises RuleEvaluationError."""
        scope = Scope(properties, self.parameters)
        for statement in self.statements:
            target = statement.target
            if isinstance(statement, SetProperty):
                change = properties.set_system if target.is_system else properties.set_user
                change(target.name, statement.content.value(scope))
            elif target.is_system:
                raise RuleEvaluationError("A system property cannot be removed.")
            else:
                properties.remove_user(target.name)


@dataclass(frozen=True)
class Rule:
    """A filter, and what to change of a message that matches it."""

    name: str
    condition: MessageFilter
    action: SqlAction | None = None


def compile_rule(spec: RuleSpec) -> Rule:
    """Parse a rule's expressions. Raises RuleSyntaxError."""
    action = spec.action
    compiled = SqlAction(parse_action(action.expression), action.parameters) if action else None
    return Rule(spec.name, _filter(spec.condition), compiled)


def copies(rules: Iterable[Rule], message: Message, enqueued_at: float) -> list[Message]:
    """Return what a subscription with these rules gets of a message.

    All rules without an action make one copy together, each matching rule with an action one of
    its own. Raises RuleEvaluationError.
    """
    found: list[Message] = []
    is_taken = False
    for rule in rules:
        properties = MessageProperties(message, enqueued_at)
        if not rule.condition.matches(properties):
            continue
        if rule.action is None:
            is_taken = True
            continue
        rule.action.apply(properties)
        properties.set_user(RULE_NAME, rule.name)
        found.append(properties.message())
    return [message, *found] if is_taken else found


def _filter(spec: FilterSpec) -> MessageFilter:
    match spec:
        case TrueFilterSpec():
            return ConstantFilter(answer=True)
        case FalseFilterSpec():
            return ConstantFilter(answer=False)
        case SqlSpec():
            return SqlFilter(parse_filter(spec.expression), spec.parameters)
        case CorrelationFilterSpec():
            return CorrelationFilter(spec.system, spec.properties)


def _is_same(found: SqlValue, wanted: SqlValue) -> bool:
    # A boolean equals a number in Python.
    return found == wanted and isinstance(found, bool) == isinstance(wanted, bool)
