"""Topics, subscriptions, rules and shared access rules with a fault in them."""

from __future__ import annotations

from tests.unit.local.resource_manager.planting import (
    BUS,
    GONE,
    QUEUE,
    Json,
    add,
    put,
    resource,
    snapshot,
)

_NAMESPACE = resource(snapshot(), BUS)["id"]
KIND = "Microsoft.ServiceBus/namespaces"
TOPIC = "topics/orders"
SUBSCRIPTION = "topics/orders/subscriptions/red"
RULE = "topics/orders/subscriptions/red/rules/red"
ACCESS = "topics/orders/authorizationRules/sender"


def one(path: str, **properties: object) -> Json:
    """Return a resource of the namespace by its path there, such as `topics/a/subscriptions/b`."""
    kind = "/".join([KIND, *path.split("/")[::2]])
    found = {"id": f"{_NAMESPACE}/{path}", "name": path, "type": kind}
    return {**found, "apiVersion": "2026-01-01", "properties": properties}


def with_topics(*more: Json) -> Json:
    """Return a snapshot with a topic, a subscription of it, a rule and a shared access rule."""
    return add(
        snapshot(),
        one(TOPIC),
        one(SUBSCRIPTION),
        one(RULE, sqlFilter={"sqlExpression": "color = 'red'"}),
        one(ACCESS, rights=["Send"]),
        *more,
    )


def changed(ending: str, path: str, value: object) -> Json:
    """Return the same with another value in one of them."""
    document = with_topics()
    put(resource(document, ending), path, value)
    return document


def many(path: str, count: int, **properties: object) -> list[Json]:
    """Return so many resources, whose names end in a number."""
    return [one(f"{path}{number}", **properties) for number in range(count)]


def _basic() -> Json:
    document = with_topics()
    put(resource(document, BUS), "/sku", {"name": "Basic", "tier": "Basic"})
    for queue in document["predictedResources"]:
        if queue["type"].endswith("/queues"):
            queue["properties"] = {"defaultMessageTimeToLive": "P14D"}
    return document


_CORRELATION = {"filterType": "CorrelationFilter", "correlationFilter": {"label": "x"}}

# A document, and where the one refusal of it points.
TOPIC_FAULTS: dict[str, tuple[Json, str, str]] = {
    "the Basic tier": (_basic(), "", "BadRequest"),
    "the name of a queue": (with_topics(one("topics/Messages")), "name", "Conflict"),
    "the name of a topic": (with_topics(one("topics/-x")), "name", "BadRequest"),
    "a long name of a topic": (with_topics(one(f"topics/{'x' * 261}")), "name", "BadRequest"),
    "the name of a subscription": (
        with_topics(one("topics/orders/subscriptions/a b")),
        "name",
        "BadRequest",
    ),
    "a long name of a subscription": (
        with_topics(one(f"topics/orders/subscriptions/{'x' * 51}")),
        "name",
        "BadRequest",
    ),
    "a long name of a rule": (
        with_topics(one(f"{SUBSCRIPTION}/rules/{'x' * 51}")),
        "name",
        "BadRequest",
    ),
    "the name of a rule": (
        with_topics(one(f"{SUBSCRIPTION}/rules/$default.")),
        "name",
        "BadRequest",
    ),
    **{
        f"the name of an access rule: {owner}": (
            with_topics(one(f"{owner}authorizationRules/-x", rights=["Send"])),
            "name",
            "BadRequest",
        )
        for owner in ("", f"{QUEUE}/", f"{TOPIC}/")
    },
    **{
        f"{ending.split('/')[-2]}: {path}={str(value)[:20]}": (
            changed(ending, path, value),
            path,
            "BadRequest",
        )
        for ending, path, value in (
            (TOPIC, "maxSizeInMegabytes", 1000),
            (TOPIC, "maxMessageSizeInKilobytes", 200_000),
            (TOPIC, "duplicateDetectionHistoryTimeWindow", "PT19S"),
            (TOPIC, "duplicateDetectionHistoryTimeWindow", "P8D"),
            (TOPIC, "autoDeleteOnIdle", "PT4M"),
            (TOPIC, "defaultMessageTimeToLive", "PT0.5S"),
            (TOPIC, "userMetadata", "x" * 1025),
            (SUBSCRIPTION, "lockDuration", "PT5M1S"),
            (SUBSCRIPTION, "lockDuration", "PT1S"),
            (SUBSCRIPTION, "maxDeliveryCount", 0),
            (SUBSCRIPTION, "maxDeliveryCount", 2001),
            (SUBSCRIPTION, "autoDeleteOnIdle", "PT4M"),
            (SUBSCRIPTION, "defaultMessageTimeToLive", "PT0.5S"),
            (SUBSCRIPTION, "userMetadata", "x" * 1025),
            (SUBSCRIPTION, "forwardTo", "nowhere"),
            (SUBSCRIPTION, "forwardDeadLetteredMessagesTo", "nowhere"),
            (RULE, "sqlFilter.sqlExpression", "x" * 1025),
            (RULE, "action.sqlExpression", "x" * 1025),
            (RULE, "sqlFilter.compatibilityLevel", 21),
            (RULE, "action.compatibilityLevel", 10),
            (RULE, "filterType", "TrueFilter"),
            (ACCESS, "rights", ["Listen", "Read"]),
            (ACCESS, "rights", []),
            (ACCESS, "rights", GONE),
            (ACCESS, "rights", ["Send", "Send"]),
            (ACCESS, "rights", ["Manage", "Send"]),
        )
    },
    "too many subscriptions": (
        with_topics(*many("topics/orders/subscriptions/s", 2000)),
        "",
        "BadRequest",
    ),
    "too many SQL filters": (
        with_topics(*many(f"{SUBSCRIPTION}/rules/r", 2000)),
        "",
        "BadRequest",
    ),
    "too many access rules": (
        with_topics(*many(f"{TOPIC}/authorizationRules/r", 12, rights=["Send"])),
        "",
        "BadRequest",
    ),
}

# What Azure takes.
TOPIC_GOOD: dict[str, Json] = {
    "one of each": with_topics(),
    "the default rule, replaced": with_topics(one(f"{SUBSCRIPTION}/rules/$Default")),
    "a forward to a queue": changed(SUBSCRIPTION, "forwardTo", "messages"),
    "a forward of dead letters to a topic": changed(
        SUBSCRIPTION, "forwardDeadLetteredMessagesTo", "orders"
    ),
    "as many subscriptions as possible": with_topics(*many("topics/orders/subscriptions/s", 1999)),
    "as many SQL filters as possible": with_topics(*many(f"{SUBSCRIPTION}/rules/r", 1999)),
    "correlation filters beside them": with_topics(
        *many(f"{SUBSCRIPTION}/rules/r", 2100, **_CORRELATION)
    ),
    "every right": changed(ACCESS, "rights", ["Manage", "Send", "Listen"]),
    "a name of 50": with_topics(one(f"topics/orders/subscriptions/{'x' * 50}")),
    "an expression of 1,024": changed(RULE, "sqlFilter.sqlExpression", "x" * 1024),
}
