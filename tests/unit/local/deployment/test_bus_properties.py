"""Every documented property of an entity of a bus has an effect, or is refused by its name.

The properties are those of bicep-types-az, Microsoft.ServiceBus 2026-01-01, that can be written.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from local.deployment.deployment import load_bytes
from local.deployment.resources import Deployment, QueueSpec, SubscriptionSpec
from local.deployment.snapshot import DeploymentError

SNAPSHOT = Path(__file__).parents[4] / "infra" / "local.snapshot.json"
KIND = "Microsoft.ServiceBus/namespaces"
QUEUE, TOPIC = "queues/q", "topics/t"
SUBSCRIPTION = f"{TOPIC}/subscriptions/s"
RULE = f"{SUBSCRIPTION}/rules/r"


def load(*resources: tuple[str, dict[str, Any]], local_auth: bool = False) -> Deployment:
    """Load a deployment with more resources in its namespace, each by its path there."""
    document = json.loads(SNAPSHOT.read_bytes())
    listed = document["predictedResources"]
    bus = next(one for one in listed if one["type"] == KIND)
    bus["properties"]["disableLocalAuth"] = not local_auth
    for path, properties in resources:
        kind = "/".join([KIND, *path.split("/")[::2]])
        identity = {"id": f"{bus['id']}/{path}", "name": path, "apiVersion": bus["apiVersion"]}
        listed.append({**identity, "type": kind, "properties": properties})
    return load_bytes(json.dumps(document).encode(), Path("x"))


def entity(path: str, properties: dict[str, Any]) -> QueueSpec:
    """Return the entity at a path with these properties; of a rule, its subscription."""
    given = {QUEUE: {}, TOPIC: {}, SUBSCRIPTION: {}, path: properties}
    (namespace,) = load(*given.items()).namespaces
    wanted = f"/{SUBSCRIPTION if path == RULE else path}"
    return next(one for one in namespace.entities if one.resource_id.endswith(wanted))


SENT_TO = {
    "defaultMessageTimeToLive": "PT1H",
    "duplicateDetectionHistoryTimeWindow": "PT3M",
    "enableBatchedOperations": False,
    "enableExpress": True,
    "maxSizeInMegabytes": 2048,
    "requiresDuplicateDetection": True,
    "status": "SendDisabled",
    "userMetadata": "whose",
}
RECEIVED_FROM = {
    "deadLetteringOnMessageExpiration": True,
    "defaultMessageTimeToLive": "PT1H",
    "enableBatchedOperations": False,
    "forwardDeadLetteredMessagesTo": "messages",
    "forwardTo": "messages",
    "lockDuration": "PT20S",
    "maxDeliveryCount": 4,
    "requiresSession": True,
    "status": "ReceiveDisabled",
    "userMetadata": "whose",
}
EFFECTIVE: dict[str, dict[str, Any]] = {
    QUEUE: SENT_TO | RECEIVED_FROM,
    TOPIC: SENT_TO | {"supportOrdering": False},
    SUBSCRIPTION: RECEIVED_FROM | {"deadLetteringOnFilterEvaluationExceptions": False},
}
REFUSED: dict[str, dict[str, Any]] = {
    QUEUE: {
        "autoDeleteOnIdle": "PT5M",
        "enablePartitioning": True,
        "maxMessageSizeInKilobytes": 2048,
    },
    TOPIC: {
        "autoDeleteOnIdle": "PT5M",
        "enablePartitioning": True,
        "maxMessageSizeInKilobytes": 2048,
    },
    SUBSCRIPTION: {
        "autoDeleteOnIdle": "PT5M",
        "clientAffineProperties": {"clientId": "a"},
        "duplicateDetectionHistoryTimeWindow": "PT3M",
        "enableExpress": True,
        "isClientAffine": True,
    },
}
FLAT = [(path, name, value) for path, given in EFFECTIVE.items() for name, value in given.items()]


@pytest.mark.parametrize(("path", "name", "value"), FLAT)
def test_a_property_has_an_effect(path: str, name: str, value: object) -> None:
    assert entity(path, {name: value}) != entity(path, {})


@pytest.mark.parametrize(
    ("path", "name", "value"),
    [
        *((path, name, value) for path, given in REFUSED.items() for name, value in given.items()),
        *((path, "status", "Renaming") for path in EFFECTIVE),
        *((path, "unknown", 1) for path in EFFECTIVE),
        *((path, name, {"of": "another type"}) for path, name, _ in FLAT),
    ],
)
def test_a_property_without_an_effect_is_refused_by_its_name(
    path: str, name: str, value: object
) -> None:
    with pytest.raises(DeploymentError) as refused:
        entity(path, {name: value})
    assert refused.value.path.split(".")[:2] == ["properties", name]
    assert path in refused.value.resource


# What Azure's own samples give a subscription, and what Azure has by itself.
@pytest.mark.parametrize(
    "properties",
    [
        {"clientAffineProperties": {}, "isClientAffine": False},
        {"autoDeleteOnIdle": "P10675199DT2H48M5.4775807S"},
        {"defaultMessageTimeToLive": "P10675199DT2H48M5.4775807S"},
        {"status": "Active"},
    ],
)
def test_what_says_nothing_new_is_taken(properties: dict[str, Any]) -> None:
    assert entity(SUBSCRIPTION, properties) == entity(SUBSCRIPTION, {})


def test_a_subscription_with_sessions_does_not_forward() -> None:
    with pytest.raises(DeploymentError, match="sessions"):
        entity(SUBSCRIPTION, {"requiresSession": True, "forwardTo": "messages"})


SYSTEM = (
    *("contentType", "correlationId", "label", "messageId", "replyTo", "replyToSessionId"),
    *("sessionId", "to"),
)


@pytest.mark.parametrize(
    "properties",
    [
        {"sqlFilter": {"sqlExpression": "a = 1"}},
        {"filterType": "SqlFilter", "sqlFilter": {"sqlExpression": "a = 1"}},
        {"action": {"sqlExpression": "SET a = 1"}},
        *({"filterType": "CorrelationFilter", "correlationFilter": {name: "x"}} for name in SYSTEM),
        {"filterType": "CorrelationFilter", "correlationFilter": {"properties": {"a": "x"}}},
    ],
    ids=str,
)
def test_a_property_of_a_rule_has_an_effect(properties: dict[str, Any]) -> None:
    changed, plain = entity(RULE, properties), entity(RULE, {})
    assert isinstance(changed, SubscriptionSpec)
    assert isinstance(plain, SubscriptionSpec)
    assert changed.rules != plain.rules
    # 20 is the only level there is, and preprocessing has no documented effect.
    for one in ("sqlFilter", "action"):
        if one in properties:
            more = {**properties[one], "compatibilityLevel": 20, "requiresPreprocessing": True}
            assert entity(RULE, {**properties, one: more}) == changed


@pytest.mark.parametrize(
    ("properties", "named"),
    [
        ({"sqlFilter": {"sqlExpression": "a = 1", "compatibilityLevel": 21}}, "compatibilityLevel"),
        ({"action": {"sqlExpression": "a = 1", "compatibilityLevel": 21}}, "compatibilityLevel"),
        ({"sqlFilter": {}}, "sqlExpression"),
        (
            {"sqlFilter": {"sqlExpression": "a", "requiresPreprocessing": 1}},
            "requiresPreprocessing",
        ),
        ({"sqlFilter": {"sqlExpression": "a", "parameters": {}}}, "parameters"),
        ({"correlationFilter": {"label": "x"}}, "correlationFilter"),
        (
            {
                "filterType": "CorrelationFilter",
                "correlationFilter": {"label": "x"},
                "sqlFilter": {"sqlExpression": "a"},
            },
            "sqlFilter",
        ),
        ({"filterType": "CorrelationFilter", "correlationFilter": {"subject": "x"}}, "subject"),
        (
            {"filterType": "CorrelationFilter", "correlationFilter": {"properties": {"a": 5}}},
            "properties.a",
        ),
        ({"filterType": "TrueFilter"}, "filterType"),
        ({"name": "x"}, "name"),
    ],
)
def test_a_property_of_a_rule_without_an_effect_is_refused(
    properties: dict[str, Any], named: str
) -> None:
    with pytest.raises(DeploymentError) as refused:
        entity(RULE, properties)
    assert refused.value.path.endswith(f".{named}")


# Shared access rules

OWNERS = ("", "queues/messages/", "topics/t/")


@pytest.mark.parametrize("owner", OWNERS)
def test_a_shared_access_rule_gives_nobody_access_without_local_authentication(owner: str) -> None:
    path = f"{owner}authorizationRules/sender"
    found = load((TOPIC, {}), (path, {"rights": ["Send"]}))
    # It is listed as without effect, as it has none in Azure.
    assert [one for one in found.ignored if one.endswith(path)] != []


@pytest.mark.parametrize("owner", OWNERS)
def test_a_shared_access_rule_is_refused_with_local_authentication(owner: str) -> None:
    path = f"{owner}authorizationRules/sender"
    with pytest.raises(DeploymentError, match="disableLocalAuth: true") as refused:
        load((TOPIC, {}), (path, {"rights": ["Send"]}), local_auth=True)
    assert refused.value.resource.endswith(path)


@pytest.mark.parametrize(
    ("properties", "named"),
    [
        ({}, "rights"),
        ({"rights": []}, "rights"),
        ({"rights": ["Read"]}, "rights"),
        ({"rights": ["Send", "Send"]}, "rights"),
        ({"rights": ["Manage", "Send"]}, "rights"),
        ({"rights": ["Send"], "keys": ["x"]}, "keys"),
    ],
)
@pytest.mark.parametrize("owner", OWNERS)
def test_a_malformed_shared_access_rule_is_refused(
    owner: str, properties: dict[str, Any], named: str
) -> None:
    with pytest.raises(DeploymentError) as refused:
        load((TOPIC, {}), (f"{owner}authorizationRules/sender", properties))
    assert refused.value.path == f"properties.{named}"


def test_a_shared_access_rule_belongs_to_something_that_is_deployed() -> None:
    with pytest.raises(DeploymentError, match="not deployed with it"):
        load(("queues/nowhere/authorizationRules/sender", {"rights": ["Send"]}))
