"""Descriptions of entities and rules: what is written is read again, what is wrong is named."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from local.bus.administration import kept
from local.bus.administration.atom import (
    SERVICE_BUS,
    Entry,
    description,
    duration,
    entry,
    node,
    read_description,
)
from local.bus.administration.descriptions import DescriptionContext, read_entity
from local.bus.administration.errors import AdministrationError
from local.bus.administration.rendering import NO_USE, write_entity
from local.bus.administration.rule_descriptions import read_rule, write_rule
from local.deployment.resources import (
    EntityDetails,
    NamespaceSpec,
    QueueSpec,
    SubscriptionSpec,
    TopicSpec,
    subscription_path,
)
from local.deployment.rules import (
    CorrelationFilterSpec,
    FalseFilterSpec,
    RuleSpec,
    SqlSpec,
    TrueFilterSpec,
)
from local.resource_manager import durations

NAMESPACE = NamespaceSpec("/ns", "ns", "ns.servicebus.windows.net", "Standard", False, ())
CONTEXT = DescriptionContext(NAMESPACE, "2024-05", 50.0)
QUEUE = QueueSpec("/ns/queues/q", "q")


def document(content: str) -> bytes:
    return entry(Entry("t", "u", 0.0, 0.0, content)).encode()


def queue_of(*parts: str, context: DescriptionContext = CONTEXT) -> QueueSpec:
    body = document(description("QueueDescription", *parts))
    return read_entity(read_description(body, "QueueDescription"), QUEUE, context)


def test_what_is_written_of_an_entity_is_read_again() -> None:
    spec = replace(
        QUEUE,
        lock_duration=timedelta(seconds=13),
        max_delivery_count=14,
        duplicate_window=timedelta(minutes=12, seconds=3),
        time_to_live=timedelta(days=2, hours=3),
        dead_letter_on_expiration=True,
        forward_to="other",
        forward_dead_letters_to="dead",
        max_size_bytes=3 * 1024**3,
        status="SendDisabled",
        delete_when_idle=timedelta(minutes=10),
        details=EntityDetails(
            user_metadata="a <b> & c",
            enable_batched_operations=False,
            created_at=50.0,
            updated_at=50.0,
            duplicate_window=timedelta(minutes=12, seconds=3),
        ),
    )

    given_one = read_description(
        document(write_entity(spec, NO_USE, NAMESPACE)), "QueueDescription"
    )

    assert read_entity(given_one, QUEUE, CONTEXT) == spec


def test_defaults_are_those_of_azure() -> None:
    spec = queue_of()

    assert (spec.lock_duration, spec.max_delivery_count) == (timedelta(minutes=1), 10)
    assert (spec.time_to_live, spec.duplicate_window, spec.status) == (None, None, "Active")


@pytest.mark.parametrize(
    "part",
    [
        node("LockDuration", text="PT6M"),
        node("LockDuration", text="PT1S"),
        node("LockDuration", text="5 minutes"),
        node("LockDuration", text="P10675199DT2H48M5.4775807S"),
        node("MaxDeliveryCount", text="0"),
        node("MaxDeliveryCount", text="2001"),
        node("MaxDeliveryCount", text="x"),
        node("MaxDeliveryCount", text="٣"),
        node("MaxSizeInMegabytes", text="1000"),
        node("MaxSizeInMegabytes", text="81920"),
        node("MaxMessageSizeInKilobytes", text="1024"),
        node("DuplicateDetectionHistoryTimeWindow", text="PT19S"),
        node("AutoDeleteOnIdle", text="PT4M"),
        node("DefaultMessageTimeToLive", text="PT0S"),
        node("RequiresDuplicateDetection", text="maybe"),
        node("Status", text="Deleting"),
        node("UserMetadata", text="x" * 1025),
        node("Unknown", text="x"),
        node("LockDuration", text="PT1M") + node("LockDuration", text="PT1M"),
        node("LockDuration", node("Inner")),
        node("ForwardTo", text="sb://host/"),
        node("AuthorizationRules", node("AuthorizationRule", node("KeyName", text="k"))),
    ],
)
def test_what_is_out_of_its_limits_is_refused(part: str) -> None:
    with pytest.raises(AdministrationError) as refused:
        queue_of(part)

    assert refused.value.status == 400


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\xff",
        b"<entry/>",
        b"<!DOCTYPE entry [<!ENTITY a 'b'>]><entry>&a;</entry>",
        document(node("QueueDescription")),
        document(description("TopicDescription")),
        f'<QueueDescription xmlns="{SERVICE_BUS}"/>'.encode(),
        '<?xml version="1.0" encoding="utf-16"?><entry/>'.encode("utf-16"),
    ],
)
def test_a_body_that_is_no_entry_is_refused(body: bytes) -> None:
    with pytest.raises(AdministrationError):
        read_description(body, "QueueDescription")


@given(st.binary(max_size=200))
def test_any_body_is_read_or_refused(body: bytes) -> None:
    with pytest.raises(AdministrationError):
        read_description(body, "QueueDescription")


@given(st.timedeltas(min_value=timedelta(0), max_value=timedelta(days=10_000)))
def test_durations_are_written_as_they_are_read(value: timedelta) -> None:
    assert durations.parse(duration(value)) == value


@pytest.mark.parametrize(
    "rule",
    [
        RuleSpec("$Default"),
        RuleSpec("none", FalseFilterSpec()),
        RuleSpec(
            "sql",
            SqlSpec(
                "a = @text AND b < @when",
                {
                    "@text": "x <y>",
                    "@int": 5,
                    "@long": 2**40,
                    "@float": 0.5,
                    "@flag": False,
                    "@when": datetime(2020, 7, 5, 11, 12, 13, tzinfo=UTC),
                    "@span": timedelta(days=1, hours=2),
                },
            ),
            SqlSpec("SET a = @b", {"@b": "c"}),
        ),
        RuleSpec("mail", CorrelationFilterSpec({"Label": "x", "To": ""}, {"n": 5, "s": "5"})),
    ],
)
def test_what_is_written_of_a_rule_is_read_again(rule: RuleSpec) -> None:
    found = read_description(document(write_rule(rule)), "RuleDescription")

    assert read_rule(found, rule.name, 0.0) == rule


@pytest.mark.parametrize(
    "part",
    [
        node("Filter", i_type="Unknown"),
        node("Filter", i_type="CorrelationFilter"),
        node("Filter", i_type="SqlFilter"),
        node("Filter", node("SqlExpression", text="x ="), i_type="SqlFilter"),
        node("Action", node("SqlExpression", text="DROP x"), i_type="SqlRuleAction"),
        node("Name", text="another"),
        node("Unknown"),
    ],
)
def test_a_rule_that_is_malformed_is_refused(part: str) -> None:
    found = read_description(document(description("RuleDescription", part)), "RuleDescription")

    with pytest.raises(AdministrationError):
        read_rule(found, "rule", 0.0)


# What is kept from one start to the next

TOPIC = TopicSpec("/ns/topics/t", "t")


def subscription(name: str, *rules: RuleSpec) -> SubscriptionSpec:
    path = subscription_path("t", name)
    return SubscriptionSpec(
        f"/ns/topics/t/subscriptions/{name}",
        path,
        topic="t",
        rules=rules or (RuleSpec("$Default"),),
    )


DEPLOYED = replace(NAMESPACE, queues=(QUEUE,), topics=(TOPIC,), subscriptions=(subscription("s"),))


def again(*entities: QueueSpec, deployed: NamespaceSpec = DEPLOYED) -> dict[str, QueueSpec]:
    found = kept.load(kept.dump(entities, DEPLOYED), deployed)
    return {one.name: one for one in found}


def test_what_was_made_by_hand_stays_and_what_is_deployed_is_as_deployed() -> None:
    by_hand = replace(
        QUEUE, resource_id="/ns/queues/mine", name="mine", max_delivery_count=3,
        details=EntityDetails(created_at=5.0, updated_at=6.0),
    )  # fmt: skip

    found = again(by_hand, replace(QUEUE, max_delivery_count=7), TOPIC)

    assert found["mine"] == by_hand
    assert found["q"] == QUEUE


def test_rules_made_by_hand_stay_beside_those_of_the_deployment() -> None:
    mine = RuleSpec("mine", SqlSpec("a = 1"), created_at=7.0)
    changed = RuleSpec("declared", TrueFilterSpec(), created_at=7.0)
    declared = RuleSpec("declared", SqlSpec("b = 1"))
    deployed = replace(DEPLOYED, subscriptions=(subscription("s", RuleSpec("$Default"), declared),))

    found = again(TOPIC, subscription("s", mine, changed), deployed=deployed)["t/Subscriptions/s"]

    assert isinstance(found, SubscriptionSpec)
    assert found.rules == (mine, declared)


def test_a_subscription_goes_with_its_topic() -> None:
    assert set(again(TOPIC, subscription("late"), deployed=NAMESPACE)) == set()


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"entities": [{}]}', '{"entities": 5}'])
def test_a_malformed_file_is_named(text: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - any of its kinds
        kept.load(text, DEPLOYED)


@pytest.mark.parametrize("number", ["0" * 12 + "5", "000000000005" + "1" * 20, "9" * 5000, "5_0"])
def test_a_number_counts_to_its_last_digit(number: str) -> None:
    body = entry(
        Entry(
            "q",
            "u",
            0.0,
            0.0,
            description("QueueDescription", node("MaxDeliveryCount", text=number)),
        )
    )
    given = read_description(body.encode(), "QueueDescription")
    with pytest.raises(AdministrationError, match="MaxDeliveryCount must be a whole number"):
        given.number("MaxDeliveryCount", 10, 1, 2000)


@pytest.mark.parametrize("text", ["\x00", "\x1b", "\ud800", "\ufffe", "\uffff"])
def test_whatever_is_written_is_xml(text: str) -> None:
    written = entry(Entry(f"a{text}b", f"u{text}", 0.0, 0.0, node("x", i=text, text=text)))
    ET.fromstring(written.encode())  # noqa: S314 - our own
