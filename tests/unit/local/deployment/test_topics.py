"""Topics, subscriptions and rules of a deployment."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from local.deployment.deployment import load_bytes
from local.deployment.resources import NamespaceSpec
from local.deployment.rules import CorrelationFilterSpec, RuleSpec, SqlSpec
from local.deployment.snapshot import DeploymentError

SNAPSHOT = Path(__file__).parents[4] / "infra" / "local.snapshot.json"
KIND = "Microsoft.ServiceBus/namespaces"
TOPIC = ("topics", "/topics/t", {"requiresDuplicateDetection": True})
SUBSCRIPTION = ("topics/subscriptions", "/topics/t/subscriptions/s", {"forwardTo": "messages"})
RULES = "topics/subscriptions/rules", "/topics/t/subscriptions/s/rules/"


def namespace(*resources: tuple[str, str, dict[str, Any]]) -> NamespaceSpec:
    document = json.loads(SNAPSHOT.read_bytes())
    listed = document["predictedResources"]
    bus = next(one for one in listed if one["type"] == KIND)
    for kind, path, properties in resources:
        identity = {"id": bus["id"] + path, "name": path, "apiVersion": bus["apiVersion"]}
        listed.append({**identity, "type": f"{KIND}/{kind}", "properties": properties})
    return load_bytes(json.dumps(document).encode(), Path("x")).namespaces[0]


def test_topics_subscriptions_and_rules_are_read() -> None:
    kind, path = RULES
    correlation = {"label": "x", "properties": {"a": "b"}}
    found = namespace(
        TOPIC,
        SUBSCRIPTION,
        (
            kind,
            f"{path}mail",
            {"filterType": "CorrelationFilter", "correlationFilter": correlation},
        ),
        (
            kind,
            f"{path}sql",
            {"sqlFilter": {"sqlExpression": "a = 1"}, "action": {"sqlExpression": "SET b = 2"}},
        ),
    )

    (topic,), (subscription,) = found.topics, found.subscriptions
    assert topic.duplicate_window == timedelta(minutes=10)
    assert (subscription.name, subscription.topic) == ("t/Subscriptions/s", "t")
    assert subscription.forward_to == "messages"
    assert subscription.rules == (
        RuleSpec("$Default"),
        RuleSpec("mail", CorrelationFilterSpec({"Label": "x"}, {"a": "b"})),
        RuleSpec("sql", SqlSpec("a = 1"), SqlSpec("SET b = 2")),
    )


def test_a_rule_of_its_name_takes_the_place_of_the_default() -> None:
    kind, path = RULES
    written = (kind, f"{path}$Default", {"sqlFilter": {"sqlExpression": "a = 1"}})

    (subscription,) = namespace(TOPIC, SUBSCRIPTION, written).subscriptions

    assert subscription.rules == (RuleSpec("$Default", SqlSpec("a = 1")),)


@pytest.mark.parametrize(
    "resources",
    [
        [SUBSCRIPTION],
        [TOPIC, (SUBSCRIPTION[0], SUBSCRIPTION[1], {"forwardTo": "nothing"})],
        [TOPIC, (SUBSCRIPTION[0], SUBSCRIPTION[1], {"unknown": 1})],
        [(TOPIC[0], TOPIC[1], {"enablePartitioning": True})],
        [TOPIC, SUBSCRIPTION, (*RULES, {"filterType": "Other"})],
        [TOPIC, SUBSCRIPTION, (*RULES, {"filterType": "CorrelationFilter"})],
    ],
)
def test_what_is_not_supported_is_named(resources: list[tuple[str, str, dict[str, Any]]]) -> None:
    with pytest.raises(DeploymentError):
        namespace(*resources)
