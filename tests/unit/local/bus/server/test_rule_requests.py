"""The rule managers of the SDKs: adding, removing and listing rules by request."""

from __future__ import annotations

import pytest

from local.bus.amqp.errors import AmqpError
from local.bus.amqp.values import Described, Int, Symbol, ULong, Value
from local.bus.broker.namespace import Namespace
from local.bus.broker.topic import Subscription
from local.bus.server.arguments import Call
from local.bus.server.rule_requests import add_rule, enumerate_rules, remove_rule
from local.deployment.resources import NamespaceSpec, SubscriptionSpec, TopicSpec


@pytest.fixture
def subscription() -> Subscription:
    topic = TopicSpec("/topics/t", "t")
    spec = SubscriptionSpec("/topics/t/subscriptions/s", "t/Subscriptions/s", topic="t")
    namespace = NamespaceSpec(
        *("/n", "n", "n", "Standard"),
        local_auth=False,
        queues=(),
        topics=(topic,),
        subscriptions=(spec,),
    )
    found = Namespace(namespace, lambda: 5.0).entities()[1]
    assert isinstance(found, Subscription)
    return found


def call(subscription: Subscription, **arguments: Value) -> Call:
    topic, spec = subscription.topic.spec, subscription.subscription_spec
    assert isinstance(topic, TopicSpec)
    world = NamespaceSpec(
        *("/n", "n", "n", "Standard"),
        local_auth=False,
        queues=(),
        topics=(topic,),
        subscriptions=(spec,),
    )
    given: dict[Value, Value] = {name.replace("_", "-"): value for name, value in arguments.items()}
    return Call(Namespace(world, lambda: 5.0), subscription, given, object())


SQL: Value = {"sql-filter": {"expression": "a = 1"}}
MAIL: Value = {
    "correlation-filter": {"label": "x", "properties": {"n": Int(5)}},
    "sql-rule-action": {"expression": "SET b = 2"},
}


def test_rules_are_added_listed_and_removed(subscription: Subscription) -> None:
    add_rule(call(subscription, rule_name="sql", rule_description=SQL))
    add_rule(call(subscription, rule_name="mail", rule_description=MAIL))
    remove_rule(call(subscription, rule_name="$Default"))

    listed = enumerate_rules(call(subscription, skip=Int(0), top=Int(100)))

    assert isinstance(listed, dict)
    rules = listed["rules"]
    assert isinstance(rules, list)
    described = [one["rule-description"] for one in rules if isinstance(one, dict)]
    assert all(
        isinstance(one, Described) and one.descriptor == ULong(0x13700000004) for one in described
    )
    fields = [one.value for one in described if isinstance(one, Described)]
    assert [one[2] for one in fields if isinstance(one, list)] == ["sql", "mail"]
    mail = fields[1]
    assert isinstance(mail, list)
    assert mail[0] == Described(
        ULong(0x1370000009), [None, None, None, None, "x", None, None, None, {"n": 5}]
    )
    assert mail[1] == Described(ULong(0x13700000006), ["SET b = 2", Int(20)])


def test_no_rule_is_no_content(subscription: Subscription) -> None:
    assert enumerate_rules(call(subscription, skip=Int(1), top=Int(100))) is None


@pytest.mark.parametrize(
    "arguments",
    [
        {},
        {"rule_name": "r"},
        {"rule_name": "bad name", "rule_description": SQL},
        {"rule_name": "$Default", "rule_description": SQL},
        {"rule_name": "r", "rule_description": {}},
        {"rule_name": "r", "rule_description": {"sql-filter": {"expression": "x ="}}},
        {"rule_name": "r", "rule_description": {"sql-filter": {}}},
        {"rule_name": "r", "rule_description": {"correlation-filter": {}}},
        {"rule_name": "r", "rule_description": {"correlation-filter": {"label": 5}}},
        {"rule_name": "r", "rule_description": {"correlation-filter": {"properties": {"n": []}}}},
        {"rule_name": "r", "rule_description": {**SQL, "sql-rule-action": {}}},  # type: ignore[dict-item]
        {"rule_name": Symbol(""), "rule_description": SQL},
        {"rule_name": "r", "rule_description": {**SQL, **MAIL}},  # type: ignore[dict-item]
        {"rule_name": "r", "rule_description": {**SQL, "rule-name": "s"}},  # type: ignore[dict-item]
        {"rule_name": "r", "rule_description": {**SQL, "priority": 1}},  # type: ignore[dict-item]
        {
            "rule_name": "r",
            "rule_description": {"sql-filter": {"expression": "a = 1", "level": 21}},
        },
        {
            "rule_name": "r",
            "rule_description": {"correlation-filter": {"label": "x", "subject": "x"}},
        },
    ],
)
def test_what_is_malformed_adds_nothing(
    subscription: Subscription, arguments: dict[str, Value]
) -> None:
    with pytest.raises(AmqpError):
        add_rule(call(subscription, **arguments))

    assert len(subscription.subscription_spec.rules) == 1


def test_a_rule_that_is_not_there_is_not_removed(subscription: Subscription) -> None:
    with pytest.raises(AmqpError, match="could not be found"):
        remove_rule(call(subscription, rule_name="none"))


@pytest.mark.parametrize("arguments", [{}, {"skip": -1, "top": 1}, {"skip": 0, "top": True}])
def test_a_page_is_numbers(subscription: Subscription, arguments: dict[str, Value]) -> None:
    with pytest.raises(AmqpError):
        enumerate_rules(call(subscription, **arguments))


def test_a_topic_has_a_limit_of_filters(
    subscription: Subscription, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("local.bus.broker.topic.MAX_SQL_FILTERS", 1)
    monkeypatch.setattr("local.bus.broker.topic.MAX_CORRELATION_FILTERS", 1)
    for name, description in (("sql", SQL), ("mail", MAIL)):
        add_rule(call(subscription, rule_name=name, rule_description=description))
        with pytest.raises(AmqpError, match="A topic has at most"):
            add_rule(call(subscription, rule_name=f"{name}2", rule_description=description))
