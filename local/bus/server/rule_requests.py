"""The rules of a subscription by request and response, as the rule managers of the SDKs use them.

Source: Microsoft Learn, "AMQP 1.0 in Azure Service Bus: request-response-based operations", rule
operations.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

from local.bus.amqp.errors import ARGUMENT_ERROR, ENTITY_ALREADY_EXISTS, NOT_FOUND, AmqpError
from local.bus.amqp.message import timestamp
from local.bus.amqp.values import Described, Int, ULong, Value
from local.bus.broker.queue import Queue
from local.bus.broker.topic import TOO_MANY_FILTERS, Subscription
from local.bus.server.arguments import Arguments, Call, is_int
from local.bus.topics.errors import RuleEvaluationError, RuleSyntaxError
from local.bus.topics.message_properties import amqp_value, sql_value
from local.bus.topics.sql_values import UNKNOWN
from local.deployment.rules import (
    CorrelationFilterSpec,
    FalseFilterSpec,
    FilterSpec,
    ParameterValue,
    RuleSpec,
    SqlSpec,
    TrueFilterSpec,
    is_rule_name,
)

_RULE, _NO_ACTION, _SQL_ACTION = 0x13700000004, 0x13700000005, 0x13700000006
_SQL, _TRUE, _FALSE, _CORRELATION = 0x1370000006, 0x1370000007, 0x1370000008, 0x1370000009
_COMPATIBILITY = 20  # the level of the SQL dialect, the only one there is
# The keys of a correlation filter on the wire, in the order of its list.
_CORRELATION_KEYS = {
    "correlation-id": "CorrelationId",
    "message-id": "MessageId",
    "to": "To",
    "reply-to": "ReplyTo",
    "label": "Label",
    "session-id": "SessionId",
    "reply-to-session-id": "ReplyToSessionId",
    "content-type": "ContentType",
}


def add_rule(call: Call) -> Value:
    """Add a rule, by its name and its description."""
    subscription = _subscription(call.queue)
    spec = subscription.subscription_spec
    name = _name(call.arguments)
    if any(rule.name.lower() == name.lower() for rule in spec.rules):
        raise AmqpError(ENTITY_ALREADY_EXISTS, f"The rule '{name}' exists already.")
    description = call.arguments.get("rule-description")
    if not isinstance(description, dict):
        raise AmqpError(ARGUMENT_ERROR, "The request has no rule-description.")
    _reject_unknown(description, "sql-filter", "correlation-filter", "sql-rule-action", "rule-name")
    if description.get("rule-name") not in (None, name):
        raise AmqpError(ARGUMENT_ERROR, "The rule-name of the rule-description is another one.")
    rule = RuleSpec(name, _filter(description), _action(description), call.now)
    if not subscription.topic.has_room_for(rule):
        raise AmqpError(ARGUMENT_ERROR, TOO_MANY_FILTERS)
    try:
        call.namespace.change(subscription, replace(spec, rules=(*spec.rules, rule)))
    except RuleSyntaxError as error:
        raise AmqpError(ARGUMENT_ERROR, str(error)) from None
    return {}


def remove_rule(call: Call) -> Value:
    """Remove a rule by its name."""
    subscription = _subscription(call.queue)
    spec = subscription.subscription_spec
    name = _name(call.arguments)
    left = tuple(rule for rule in spec.rules if rule.name.lower() != name.lower())
    if len(left) == len(spec.rules):
        raise AmqpError(NOT_FOUND, f"The rule '{name}' could not be found.")
    call.namespace.change(subscription, replace(spec, rules=left))
    return {}


def enumerate_rules(call: Call) -> Value:
    """List rules, from `skip` on and `top` at most; None where there is none."""
    skip, top = call.arguments.get("skip"), call.arguments.get("top")
    if not is_int(skip) or not is_int(top) or skip < 0 or top < 0:
        raise AmqpError(ARGUMENT_ERROR, "skip and top must be numbers from 0.")
    rules = _subscription(call.queue).subscription_spec.rules[skip:][:top]
    return {"rules": [{"rule-description": _describe(rule)} for rule in rules]} if rules else None


def _subscription(queue: Queue) -> Subscription:
    assert isinstance(queue, Subscription)  # noqa: S101 - the operations are for subscriptions only
    return queue


def _name(arguments: Arguments) -> str:
    name = arguments.get("rule-name")
    if not isinstance(name, str) or not is_rule_name(name):
        raise AmqpError(ARGUMENT_ERROR, "rule-name must be the name of a rule.")
    return str(name)


def _filter(description: Arguments) -> FilterSpec:
    sql, correlation = description.get("sql-filter"), description.get("correlation-filter")
    if isinstance(sql, dict) and correlation is None:
        return _sql(sql, "sql-filter")
    if isinstance(correlation, dict) and sql is None:
        return _correlation(correlation)
    raise AmqpError(ARGUMENT_ERROR, "A rule needs a sql-filter or a correlation-filter.")


def _sql(given: Arguments, name: str) -> SqlSpec:
    _reject_unknown(given, "expression")
    expression = given.get("expression")
    if not isinstance(expression, str):
        raise AmqpError(ARGUMENT_ERROR, f"A {name} needs an expression.")
    return SqlSpec(str(expression))


def _reject_unknown(given: Arguments, *known: str) -> None:
    """Refuse what would have no effect; clients write null for what they do not have."""
    for name, value in given.items():
        if value is not None and name not in known:
            raise AmqpError(ARGUMENT_ERROR, f"{str(name)[:60]} is not a part of a rule.")


def _correlation(given: Arguments) -> CorrelationFilterSpec:
    _reject_unknown(given, *_CORRELATION_KEYS, "properties")
    system: dict[str, str] = {}
    for key, name in _CORRELATION_KEYS.items():
        value = given.get(key)
        if isinstance(value, str):
            system[name] = str(value)
        elif value is not None:
            raise AmqpError(ARGUMENT_ERROR, f"{key} of a correlation filter must be a string.")
    properties = given.get("properties")
    if properties is not None and not isinstance(properties, dict):
        raise AmqpError(ARGUMENT_ERROR, "properties of a correlation filter must be a map.")
    user = {str(name): _parameter(value) for name, value in (properties or {}).items()}
    if not system and not user:
        raise AmqpError(ARGUMENT_ERROR, "A correlation filter needs a property at least.")
    return CorrelationFilterSpec(system, user)


def _parameter(value: Value) -> ParameterValue:
    try:
        found = sql_value(value)
    except RuleEvaluationError:
        found = UNKNOWN
    if isinstance(found, bool | int | float | str | datetime | timedelta):
        return found
    raise AmqpError(ARGUMENT_ERROR, "A property of a correlation filter has no type for it.")


def _action(description: Arguments) -> SqlSpec | None:
    action = description.get("sql-rule-action")
    if action is None:
        return None
    if isinstance(action, dict):
        return _sql(action, "sql-rule-action")
    raise AmqpError(ARGUMENT_ERROR, "A sql-rule-action needs an expression.")


def _describe(rule: RuleSpec) -> Described:
    action = _described(_NO_ACTION)
    if rule.action is not None:
        action = _described(_SQL_ACTION, rule.action.expression, Int(_COMPATIBILITY))
    created = timestamp(rule.created_at)
    return _described(_RULE, _describe_filter(rule.condition), action, rule.name, created)


def _describe_filter(spec: FilterSpec) -> Described:
    match spec:
        case TrueFilterSpec():
            return _described(_TRUE)
        case FalseFilterSpec():
            return _described(_FALSE)
        case SqlSpec():
            return _described(_SQL, spec.expression, Int(_COMPATIBILITY))
    system: list[Value] = [spec.system.get(name) for name in _CORRELATION_KEYS.values()]
    user: dict[Value, Value] = {key: amqp_value(value) for key, value in spec.properties.items()}
    return _described(_CORRELATION, *system, user)


def _described(code: int, *fields: Value) -> Described:
    return Described(ULong(code), [*fields])
