"""Every property that the SDK describes has an effect, is refused, or is the service's to write.

The lists are the SDK's own, so that a property that a later version of it adds is missed here.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from azure.servicebus.management._generated import models

from local.bus.administration.atom import description, node, read_description
from local.bus.administration.descriptions import DescriptionContext, read_entity
from local.bus.administration.errors import AdministrationError
from local.bus.administration.rule_descriptions import read_rule
from local.deployment.resources import NamespaceSpec, QueueSpec, SubscriptionSpec, TopicSpec
from local.deployment.rules import RuleSpec
from tests.unit.local.bus.administration.test_descriptions import document

NAMESPACE = NamespaceSpec("/ns", "ns", "ns.servicebus.windows.net", "Standard", False, ())
PREMIUM = NamespaceSpec("/ns", "ns", "ns.servicebus.windows.net", "Premium", False, ())
KINDS: dict[str, tuple[Any, QueueSpec]] = {
    "QueueDescription": (models.QueueDescription, QueueSpec("/q", "q")),
    "TopicDescription": (models.TopicDescription, TopicSpec("/t", "t")),
    "SubscriptionDescription": (
        models.SubscriptionDescription,
        SubscriptionSpec("/s", "t/Subscriptions/s", topic="t"),
    ),
}
# A value that is not the default, for whatever of the three has the property.
VALUES = {
    "AutoDeleteOnIdle": "PT1H",
    "DeadLetteringOnFilterEvaluationExceptions": "false",
    "DeadLetteringOnMessageExpiration": "true",
    "DefaultMessageTimeToLive": "PT1H",
    "DuplicateDetectionHistoryTimeWindow": "PT3M",
    "EnableBatchedOperations": "false",
    "EnableExpress": "true",
    "EnablePartitioning": "true",
    "ForwardDeadLetteredMessagesTo": "other",
    "ForwardTo": "other",
    "LockDuration": "PT20S",
    "MaxDeliveryCount": "4",
    "MaxSizeInMegabytes": "2048",
    "RequiresDuplicateDetection": "true",
    "RequiresSession": "true",
    "Status": "Disabled",
    "SupportOrdering": "false",
    "UserMetadata": "whose",
}
REFUSED = {
    "EnableSubscriptionPartitioning": "true",
    "FilteringMessagesBeforePublishing": "true",
    "IsAnonymousAccessible": "true",
    "MaxMessageSizeInKilobytes": "2048",  # of a namespace that is not Premium
}
# The service writes them, and clients send them back as they are.
OF_THE_SERVICE = {
    *("AccessedAt", "CreatedAt", "UpdatedAt", "EntityAvailabilityStatus", "SizeInBytes"),
    *("MessageCount", "MessageCountDetails", "SubscriptionCount"),
    *("SqlFilterCount", "CorrelationFilterCount"),
}
OF_PARTS = {
    "AuthorizationRules": node(
        "AuthorizationRules",
        node(
            "AuthorizationRule",
            node("ClaimType", text="SharedAccessKey"),
            node("ClaimValue", text="None"),
            node("Rights", node("AccessRights", text="Send")),
            node("KeyName", text="k"),
        ),
    ),
    "DefaultRuleDescription": node(
        "DefaultRuleDescription",
        node("Filter", node("SqlExpression", text="a = 1"), i_type="SqlFilter"),
        node("Name", text="r"),
    ),
}


def read(kind: str, *parts: str, namespace: NamespaceSpec = NAMESPACE) -> QueueSpec:
    context = DescriptionContext(namespace, "2024-05", 50.0)
    given = read_description(document(description(kind, *parts)), kind)
    return read_entity(given, KINDS[kind][1], context)


def described() -> Iterator[tuple[str, str]]:
    for kind, (model, _) in KINDS.items():
        for one in model._attribute_map.values():
            yield kind, f"{one['key'][0].upper()}{one['key'][1:]}"


@pytest.mark.parametrize(("kind", "name"), list(described()))
def test_a_property_has_an_effect_or_is_refused(kind: str, name: str) -> None:
    if name in OF_THE_SERVICE:
        assert read(kind, node(name, text="7")) == read(kind)
    elif name in OF_PARTS:
        assert read(kind, OF_PARTS[name]) != read(kind)
    elif name in REFUSED:
        with pytest.raises(AdministrationError, match=name):
            read(kind, node(name, text=REFUSED[name]))
    else:
        assert read(kind, node(name, text=VALUES[name])) != read(kind)
        with pytest.raises(AdministrationError, match=name):
            read(kind, node(name, node("Inner")))


def test_a_message_size_has_an_effect_in_the_premium_tier() -> None:
    part = node("MaxMessageSizeInKilobytes", text="2048")
    assert read("QueueDescription", part, namespace=PREMIUM).max_message_bytes == 2048 * 1024


@pytest.mark.parametrize("kind", KINDS)
def test_what_no_description_has_is_refused_by_its_name(kind: str) -> None:
    with pytest.raises(AdministrationError, match="Unknown is not a property"):
        read(kind, node("Unknown", text="x"))


@pytest.mark.parametrize("kind", ["QueueDescription", "SubscriptionDescription"])
def test_what_has_sessions_does_not_forward(kind: str) -> None:
    with pytest.raises(AdministrationError, match="ForwardTo"):
        read(kind, node("RequiresSession", text="true"), node("ForwardTo", text="other"))


@pytest.mark.parametrize(
    "part",
    [
        node("ClaimType", text="Issuer"),
        node("ClaimValue", text="somebody"),
        node("Unknown", text="x"),
        node("Rights", node("AccessRights", text="Read")),
    ],
)
def test_a_shared_access_rule_is_what_it_can_be(part: str) -> None:
    rights = "" if "Rights" in part else node("Rights", node("AccessRights", text="Send"))
    rule = node("AuthorizationRule", rights, node("KeyName", text="k"), part)
    with pytest.raises(AdministrationError):
        read("QueueDescription", node("AuthorizationRules", rule))


def test_an_entity_has_at_most_12_shared_access_rules() -> None:
    def rules(count: int) -> str:
        rights = node("Rights", node("AccessRights", text="Send"))
        every = (
            node("AuthorizationRule", rights, node("KeyName", text=f"k{number}"))
            for number in range(count)
        )
        return node("AuthorizationRules", *every)

    assert len(read("QueueDescription", rules(12)).details.access_rules) == 12
    with pytest.raises(AdministrationError, match="at most 12"):
        read("QueueDescription", rules(13))


# Rules

FILTERS: dict[str, tuple[Any, dict[str, str]]] = {
    "SqlFilter": (
        models.SqlFilter,
        {"SqlExpression": node("SqlExpression", text="a = 2")},
    ),
    "TrueFilter": (models.TrueFilter, {}),
    "FalseFilter": (models.FalseFilter, {}),
    "CorrelationFilter": (
        models.CorrelationFilter,
        {
            name: node(name, text="x")
            for name in (
                *("CorrelationId", "MessageId", "To", "ReplyTo", "Label", "SessionId"),
                *("ReplyToSessionId", "ContentType"),
            )
        },
    ),
}
PAIR = node(
    "KeyValueOfstringanyType",
    node("Key", text="@a"),
    node("Value", text="x", i_type="d4p1:string", xmlns_d4p1="http://www.w3.org/2001/XMLSchema"),
)


def rule(*parts: str) -> RuleSpec:
    given = read_description(document(description("RuleDescription", *parts)), "RuleDescription")
    return read_rule(given, "r", 0.0)


def of_filter(kind: str, *parts: str) -> RuleSpec:
    base = {"SqlFilter": node("SqlExpression", text="a = 1")}.get(kind, "")
    if kind == "CorrelationFilter":
        base = node("Properties", PAIR)
    if parts and parts[0].startswith(("<SqlExpression", "<Properties")):
        base = ""
    return rule(node("Filter", base, *parts, i_type=kind))


def in_filters() -> Iterator[tuple[str, str]]:
    for kind, (model, _) in FILTERS.items():
        for one in model._attribute_map.values():
            if one["key"] != "type":
                yield kind, f"{one['key'][0].upper()}{one['key'][1:]}"


@pytest.mark.parametrize(("kind", "name"), list(in_filters()))
def test_a_property_of_a_filter_has_an_effect_or_is_refused(kind: str, name: str) -> None:
    constant = kind in ("TrueFilter", "FalseFilter")
    if name == "CompatibilityLevel":
        # There is one level.
        assert of_filter(kind, node(name, text="20")) == of_filter(kind)
        with pytest.raises(AdministrationError, match=name):
            of_filter(kind, node(name, text="21"))
    elif name == "RequiresPreprocessing":
        # Azure documents no effect of it.
        assert of_filter(kind, node(name, text="true")) == of_filter(kind)
        with pytest.raises(AdministrationError, match=name):
            of_filter(kind, node(name, text="perhaps"))
    elif constant:
        part = {"SqlExpression": node(name, text="a = 1"), "Parameters": node(name, PAIR)}[name]
        with pytest.raises(AdministrationError, match="expression of this filter"):
            of_filter(kind, part)
    else:
        parts = FILTERS[kind][1] | {
            "Parameters": node("Parameters", PAIR),
            "Properties": node("Properties", PAIR.replace(">x<", ">y<")),
        }
        assert of_filter(kind, parts[name]).condition != of_filter(kind).condition


@pytest.mark.parametrize("kind", FILTERS)
def test_what_no_filter_has_is_refused_by_its_name(kind: str) -> None:
    with pytest.raises(AdministrationError, match="Unknown is not a property"):
        of_filter(kind, node("Unknown", text="x"))


def test_the_expression_that_azure_gives_a_constant_filter_is_taken() -> None:
    assert of_filter("TrueFilter", node("SqlExpression", text="1=1")) == of_filter("TrueFilter")
    for text in ("1=0", "1 = 0", "1>1"):
        part = node("SqlExpression", text=text)
        assert of_filter("FalseFilter", part) == of_filter("FalseFilter")


def test_an_action_has_an_effect_and_an_empty_one_has_nothing_in_it() -> None:
    action = node("Action", node("SqlExpression", text="SET a = 1"), i_type="SqlRuleAction")
    assert rule(action) != rule()
    assert rule(node("Action", i_type="EmptyRuleAction")) == rule()
    with pytest.raises(AdministrationError, match="SqlExpression is not a property"):
        rule(node("Action", node("SqlExpression", text="SET a = 1"), i_type="EmptyRuleAction"))
