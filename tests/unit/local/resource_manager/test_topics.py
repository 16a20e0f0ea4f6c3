"""What Azure refuses of topics, subscriptions, rules and shared access rules is named."""

from __future__ import annotations

import pytest

from local.resource_manager.preflight import refusals
from tests.unit.local.resource_manager.planting import places
from tests.unit.local.resource_manager.topic_faults import (
    SUBSCRIPTION,
    TOPIC_FAULTS,
    TOPIC_GOOD,
    changed,
    many,
    with_topics,
)


@pytest.mark.parametrize("name", TOPIC_FAULTS)
def test_what_azure_refuses_is_named_and_nothing_else(name: str) -> None:
    document, path, code = TOPIC_FAULTS[name]
    assert places(refusals(document)) == [(path, code)]


@pytest.mark.parametrize("name", TOPIC_GOOD)
def test_what_azure_takes_is_not_refused(name: str) -> None:
    assert refusals(TOPIC_GOOD[name]) == []


def test_a_subscription_with_sessions_does_not_forward() -> None:
    document = changed(SUBSCRIPTION, "forwardTo", "messages")
    for one in document["predictedResources"]:
        if one["id"].endswith(SUBSCRIPTION):
            one["properties"]["requiresSession"] = True
    assert places(refusals(document)) == [("forwardTo", "BadRequest")]


def test_correlation_filters_have_a_limit_of_their_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("local.resource_manager.topics.MAX_CORRELATION_FILTERS", 2)
    filters = {"filterType": "CorrelationFilter", "correlationFilter": {"label": "x"}}
    assert refusals(with_topics(*many(f"{SUBSCRIPTION}/rules/r", 2, **filters))) == []
    found = refusals(with_topics(*many(f"{SUBSCRIPTION}/rules/r", 3, **filters)))
    assert [one.what for one in found] == ["has more than 2 correlation filters"]
