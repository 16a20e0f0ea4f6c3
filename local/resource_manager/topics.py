"""What Service Bus refuses of topics, their subscriptions and rules, and of shared access rules."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from local.resource_manager.property_rules import of, one_of
from local.resource_manager.refusal import Rule, Violation
from local.resource_manager.service_bus import (
    BUS,
    QUEUE,
    SUBSCRIPTION,
    TOPIC,
    tier,
)
from local.resource_manager.template import Resource, Template, is_expression, items

RULE = f"{SUBSCRIPTION}/rules"
ACCESS_RULES = tuple(f"{kind}/authorizationRules" for kind in (BUS, QUEUE, TOPIC))
"""Shared access rules of a namespace, a queue and a topic."""

# Source: Microsoft Learn, "Azure Service Bus quotas and limits".
MAX_SUBSCRIPTIONS = 2000
"""Subscriptions of a topic."""
MAX_SQL_FILTERS = 2000
"""SQL filters of a topic, in all its subscriptions."""
MAX_CORRELATION_FILTERS = 100_000
"""Correlation filters of a topic, in all its subscriptions."""
MAX_EXPRESSION = 1024
"""Characters of a SQL filter or action."""
MAX_ACCESS_RULES = 12
"""Shared access rules of a namespace, a queue or a topic."""

_QUOTAS = "learn.microsoft.com, Azure Service Bus quotas and limits"
_TYPES = "bicep-types-az, Microsoft.ServiceBus 2026-01-01"
_SAS = "learn.microsoft.com, Service Bus access control with Shared Access Signatures"
_RIGHTS = ("Manage", "Send", "Listen")


def _basic(template: Template) -> Iterator[Violation]:
    for topic in template.of(TOPIC):
        if tier(template.get(topic.parent)) == "basic":
            yield Violation(topic, "", "the Basic tier has no topics")


def _names(template: Template) -> Iterator[Violation]:
    queues = {(one.parent, one.name.lower()) for one in template.of(QUEUE)}
    for topic in template.of(TOPIC):
        if (topic.parent, topic.name.lower()) in queues:
            yield Violation(topic, "name", "is the name of a queue of the namespace, too")


def _subscriptions(template: Template) -> Iterator[Violation]:
    counted = Counter(one.parent for one in template.of(SUBSCRIPTION))
    for topic in template.of(TOPIC):
        if counted[topic.key] > MAX_SUBSCRIPTIONS:
            yield Violation(topic, "", f"has more than {MAX_SUBSCRIPTIONS} subscriptions")


def _filters(template: Template) -> Iterator[Violation]:
    # The default rule is not counted: a topic could not have as many subscriptions as it may have.
    rules = (one for one in template.of(RULE) if one.name != "$Default")
    counted = Counter((_topic_of(one), _is_correlation(one)) for one in rules)
    for topic in template.of(TOPIC):
        if counted[topic.key, False] > MAX_SQL_FILTERS:
            yield Violation(topic, "", f"has more than {MAX_SQL_FILTERS} SQL filters")
        if counted[topic.key, True] > MAX_CORRELATION_FILTERS:
            what = f"has more than {MAX_CORRELATION_FILTERS} correlation filters"
            yield Violation(topic, "", what)


def _topic_of(rule: Resource) -> str:
    return rule.parent.rsplit("/", 2)[0]


def _is_correlation(rule: Resource) -> bool:
    return str(rule.known("filterType") or "").lower() == "correlationfilter"


def _expressions(template: Template) -> Iterator[Violation]:
    for rule in template.of(RULE):
        for path in ("sqlFilter.sqlExpression", "action.sqlExpression"):
            if len(str(rule.known(path) or "")) > MAX_EXPRESSION:
                yield Violation(rule, path, f"is longer than {MAX_EXPRESSION} characters")


def _levels(template: Template) -> Iterator[Violation]:
    for rule in template.of(RULE):
        for path in ("sqlFilter.compatibilityLevel", "action.compatibilityLevel"):
            if rule.known(path) not in (None, 20):
                yield Violation(rule, path, "must be 20")


def _rights(template: Template) -> Iterator[Violation]:
    for rule in template.of(*ACCESS_RULES):
        rights = rule.at("rights")
        if is_expression(rights):
            continue
        given = items(rights)
        if not given or any(one not in _RIGHTS for one in given) or len(set(given)) < len(given):
            yield Violation(rule, "rights", f"must be one or more of {', '.join(_RIGHTS)}")
        elif "Manage" in given and len(given) < len(_RIGHTS):
            yield Violation(rule, "rights", "Manage needs Send and Listen beside it")


def _access_rules(template: Template) -> Iterator[Violation]:
    counted = Counter(one.parent for one in template.of(*ACCESS_RULES))
    for owner in template.of(BUS, QUEUE, TOPIC):
        if counted[owner.key] > MAX_ACCESS_RULES:
            yield Violation(owner, "", f"has more than {MAX_ACCESS_RULES} authorization rules")


RULES: tuple[Rule[Template], ...] = (
    Rule("BadRequest", "learn.microsoft.com, Service Bus pricing tiers", _basic),
    Rule("Conflict", "learn.microsoft.com, Service Bus - Resource Manager exceptions", _names),
    Rule("BadRequest", _QUOTAS, _subscriptions),
    Rule("BadRequest", _QUOTAS, _filters),
    Rule("BadRequest", _QUOTAS, _expressions),
    Rule("BadRequest", _TYPES, _levels),
    Rule(
        "BadRequest",
        _TYPES,
        one_of(of(RULE), "filterType", ("SqlFilter", "CorrelationFilter"), ignores_case=True),
    ),
    Rule("BadRequest", _SAS, _rights),
    Rule("BadRequest", f"{_QUOTAS}; {_SAS}", _access_rules),
)
