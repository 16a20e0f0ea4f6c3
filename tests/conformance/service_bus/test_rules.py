"""Which messages a subscription takes, and what its rules change of them."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING
from uuid import UUID

import pytest
from azure.core.exceptions import HttpResponseError
from azure.servicebus import ServiceBusMessage, ServiceBusReceivedMessage
from azure.servicebus.management import (
    CorrelationRuleFilter,
    FalseRuleFilter,
    SqlRuleAction,
    SqlRuleFilter,
    TrueRuleFilter,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from azure.servicebus import ServiceBusClient
    from azure.servicebus.management import ServiceBusAdministrationClient

    from tests.conformance.target import Target

    RuleFilter = CorrelationRuleFilter | SqlRuleFilter | TrueRuleFilter | FalseRuleFilter

# The SDK's own, where it reads rules.
pytestmark = pytest.mark.filterwarnings(
    "ignore:Testing an element's truth value:DeprecationWarning"
)

# An expression, and which of the three messages it takes.
SQL = {
    "color = 'red'": "1",
    "color <> 'red'": "2",
    "user.color IN ('red', 'blue')": "12",
    "color NOT IN ('red')": "2",
    "color LIKE 'b%'": "2",
    "color IS NULL": "3",
    "color IS NOT NULL AND size > 5": "2",
    "EXISTS(size)": "12",
    "NOT EXISTS(size)": "3",
    "size + 2 = 7 OR sys.CorrelationId = 'c'": "13",
    "sys.Label = 'order'": "1",
    "sys.To = 'x' AND sys.ContentType = 'text/plain'": "3",
    "(size >= 5 AND size <= 7) AND NOT (color = 'blue')": "1",
    "1 = 1": "123",
}


@pytest.fixture
def bus(target: Target) -> Iterator[ServiceBusClient]:
    with target.service_bus() as made:
        yield made


def messages() -> list[ServiceBusMessage]:
    red: dict[str | bytes, int | float | bytes | bool | str | UUID] = {"color": "red", "size": 5}
    blue: dict[str | bytes, int | float | bytes | bool | str | UUID] = {"color": "blue", "size": 7}
    return [
        ServiceBusMessage("1", subject="order", application_properties=red),
        ServiceBusMessage("2", subject="Order", application_properties=blue),
        ServiceBusMessage("3", correlation_id="c", to="x", content_type="text/plain"),
    ]


def publish(bus: ServiceBusClient, topic: str) -> None:
    """Send the three messages."""
    with bus.get_topic_sender(topic) as sender:
        sender.send_messages(messages())


def take(
    bus: ServiceBusClient, topic: str, name: str, count: int
) -> list[ServiceBusReceivedMessage]:
    """Receive and complete all that a subscription has, which must be so many."""
    taken: list[ServiceBusReceivedMessage] = []
    with bus.get_subscription_receiver(topic, name) as receiver:
        while len(taken) < count:
            for message in receiver.receive_messages(count - len(taken), max_wait_time=30):
                receiver.complete_message(message)
                taken.append(message)
        assert receiver.peek_messages(9) == []
    return taken


def taken_by_rules(
    bus: ServiceBusClient,
    administration: ServiceBusAdministrationClient,
    topic: str,
    rules: Mapping[str, tuple[RuleFilter, str]],
) -> dict[str, str]:
    """Return by rule which of the messages it took; `rules` have a filter and what is expected.

    Each has an action, and so makes a copy of its own, with its name.
    """
    administration.create_subscription(topic, "one")
    administration.delete_rule(topic, "one", "$Default")
    for name, (condition, _) in rules.items():
        action = SqlRuleAction("SET seen = 1")
        administration.create_rule(topic, "one", name, filter=condition, action=action)
    publish(bus, topic)
    found = dict.fromkeys(rules, "")
    for message in take(bus, topic, "one", sum(len(expected) for _, expected in rules.values())):
        rule = (message.application_properties or {})[b"RuleName"]
        assert isinstance(rule, bytes)
        found[rule.decode()] += str(message)
    return found


@pytest.mark.conformance("Service Bus rules", "SQL filters")
def test_sql_filters_take_what_they_say(
    bus: ServiceBusClient, administration: ServiceBusAdministrationClient, topic: str
) -> None:
    rules = {
        f"r{number}": (SqlRuleFilter(text), expected)
        for number, (text, expected) in enumerate(SQL.items())
    }
    found = taken_by_rules(bus, administration, topic, rules)
    assert dict(zip(SQL, found.values(), strict=True)) == SQL


@pytest.mark.conformance("Service Bus rules", "parameters of SQL filters")
@pytest.mark.conformance("Service Bus rules", "correlation filters")
@pytest.mark.conformance("Service Bus rules", "filters that take all, or nothing")
def test_filters_of_every_kind_take_what_they_say(
    bus: ServiceBusClient, administration: ServiceBusAdministrationClient, topic: str
) -> None:
    wanted: dict[str, str | int | float | bool | datetime | timedelta]
    wanted = {"@color": "blue", "@size": 7}
    rules: dict[str, tuple[RuleFilter, str]] = {
        "parameters": (SqlRuleFilter("color = @color AND size = @size", wanted), "2"),
        "label": (CorrelationRuleFilter(label="order"), "1"),
        "size": (CorrelationRuleFilter(properties={"size": 7}), "2"),
        "both": (CorrelationRuleFilter(label="order", properties={"color": "blue"}), ""),
        "three": (
            CorrelationRuleFilter(correlation_id="c", to="x", content_type="text/plain"),
            "3",
        ),
        "all": (TrueRuleFilter(), "123"),
        "none": (FalseRuleFilter(), ""),
    }
    expected = {name: taken for name, (_, taken) in rules.items()}
    assert taken_by_rules(bus, administration, topic, rules) == expected


@pytest.mark.conformance("Service Bus rules", "an action changes the copy")
@pytest.mark.conformance("Service Bus rules", "a copy for each rule with an action")
@pytest.mark.conformance("Service Bus rules", "a subscription without rules takes nothing")
def test_each_rule_with_an_action_makes_a_copy(
    bus: ServiceBusClient, administration: ServiceBusAdministrationClient, topic: str
) -> None:
    for name in ("one", "nothing"):
        administration.create_subscription(topic, name)
        administration.delete_rule(topic, name, "$Default")
    action = SqlRuleAction("SET size = size + 1; SET sys.Label = 'painted'; REMOVE color")
    red = SqlRuleFilter("color = 'red'")
    administration.create_rule(topic, "one", "paint", filter=red, action=action)
    action = SqlRuleAction("SET second = @second", {"@second": True})
    administration.create_rule(topic, "one", "second", filter=red, action=action)
    # What rules without an action take makes one copy together.
    administration.create_rule(topic, "one", "plain", filter=red)
    administration.create_rule(topic, "one", "plain-2", filter=red)
    publish(bus, topic)
    found = {
        str(one.subject): one.application_properties
        for one in take(bus, topic, "one", 3)
        if one.application_properties and b"second" not in one.application_properties
    }
    assert found == {
        "painted": {b"size": 6, b"RuleName": b"paint"},
        "order": {b"color": b"red", b"size": 5},
    }
    assert (
        administration.get_subscription_runtime_properties(topic, "nothing").total_message_count
        == 0
    )


@pytest.mark.conformance("Service Bus rules", "refuse what is malformed or too long")
@pytest.mark.parametrize(
    "condition",
    [
        SqlRuleFilter("color ="),
        SqlRuleFilter("color = 'red"),
        SqlRuleFilter("x" * 1025),
    ],
    ids=["no value", "no end of a string", "too long"],
)
def test_a_malformed_rule_is_refused(
    administration: ServiceBusAdministrationClient, topic: str, condition: SqlRuleFilter
) -> None:
    administration.create_subscription(topic, "one")
    with pytest.raises(HttpResponseError) as refused:
        administration.create_rule(topic, "one", "rule", filter=condition)
    assert refused.value.status_code == 400
