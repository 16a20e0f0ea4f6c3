"""Service Bus namespaces, their queues, topics, subscriptions and rules."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Literal

from local.deployment.resource_id import last, normal, parent
from local.deployment.resources import (
    EntityDetails,
    EntityStatus,
    NamespaceSpec,
    QueueSpec,
    SubscriptionSpec,
    TopicSpec,
    subscription_path,
)
from local.deployment.rules import (
    DEFAULT_RULE,
    CorrelationFilterSpec,
    FilterSpec,
    RuleSpec,
    SqlSpec,
    TrueFilterSpec,
)
from local.deployment.snapshot import SnapshotObject, SnapshotResource

KIND = "Microsoft.ServiceBus/namespaces"
QUEUE_KIND = f"{KIND}/queues"
TOPIC_KIND = f"{KIND}/topics"
SUBSCRIPTION_KIND = f"{TOPIC_KIND}/subscriptions"
RULE_KIND = f"{SUBSCRIPTION_KIND}/rules"

Tier = Literal["Basic", "Standard", "Premium"]
_TIERS: tuple[Tier, ...] = ("Basic", "Standard", "Premium")
_STATUSES: tuple[EntityStatus, ...] = ("Active", "Disabled", "SendDisabled", "ReceiveDisabled")
_MINUTE = timedelta(minutes=1)


def tier(resource: SnapshotResource) -> Tier:
    """Take the tier of a namespace out of its `sku`."""
    sku = resource.envelope.body("sku")
    chosen = sku.choice("name", _TIERS)
    sku.only("tier", chosen, "must be the same as the name")
    # Messaging units: throughput of a Premium namespace.
    sku.ignore("capacity")
    sku.reject_unread()
    return next(known for known in _TIERS if known == chosen)


def read(
    resource: SnapshotResource,
    of_tier: Tier,
    queues: list[QueueSpec],
    topics: list[TopicSpec],
    subscriptions: list[SubscriptionSpec],
) -> NamespaceSpec:
    """Read a namespace; of queues, topics and subscriptions it takes its own."""
    body = resource.properties
    # The network around a namespace, its copies, and its encryption at rest.
    body.ignore("minimumTlsVersion", "publicNetworkAccess", "zoneRedundant", "encryption")
    body.ignore("premiumMessagingPartitions")
    local_auth = not body.flag("disableLocalAuth", default=False)
    resource.reject_unread()
    name = last(resource.id)
    own = tuple(q for q in queues if normal(parent(q.resource_id)) == normal(resource.id))
    own_topics = tuple(t for t in topics if normal(parent(t.resource_id)) == normal(resource.id))
    own_subscriptions = tuple(
        one
        for one in subscriptions
        if normal(parent(parent(one.resource_id))) == normal(resource.id)
    )
    _check_forwards(resource, (*own, *own_subscriptions), (*own, *own_topics))
    host = f"{name}.servicebus.windows.net"
    return NamespaceSpec(
        *(resource.id, name, host, of_tier, local_auth, own, own_topics, own_subscriptions)
    )


def read_queue(resource: SnapshotResource, of_tier: Tier) -> QueueSpec:
    """Read a queue of a namespace of that tier."""
    body = resource.properties
    window = _window(body)
    detects = body.flag("requiresDuplicateDetection", default=False)
    forward_to = body.text("forwardTo", "") or None
    forward_dead_letters_to = body.text("forwardDeadLetteredMessagesTo", "") or None
    requires_session = body.flag("requiresSession", default=False)
    if of_tier == "Basic" and (
        detects or forward_to or forward_dead_letters_to or requires_session
    ):
        raise body.found_at.error(
            "the Basic tier neither forwards nor detects duplicates, and has no sessions"
        )
    if requires_session and forward_to:
        raise (body.found_at / "forwardTo").error("a queue with sessions does not forward")
    queue = QueueSpec(
        resource.id,
        last(resource.id),
        lock_duration=_lock(body),
        max_delivery_count=body.number("maxDeliveryCount", 10, low=1),
        duplicate_window=window if detects else None,
        time_to_live=body.duration("defaultMessageTimeToLive", None),
        dead_letter_on_expiration=body.flag("deadLetteringOnMessageExpiration", default=False),
        forward_to=forward_to,
        forward_dead_letters_to=forward_dead_letters_to,
        max_message_bytes=_max_message_bytes(body, of_tier),
        max_size_bytes=body.number("maxSizeInMegabytes", 1024, low=1) * 1024**2,
        requires_session=requires_session,
        status=_status(body),
        details=_sending_details(body, window),
    )
    resource.reject_unread()
    return queue


def read_topic(resource: SnapshotResource, of_tier: Tier) -> TopicSpec:
    """Read a topic of a namespace of that tier."""
    body = resource.properties
    if of_tier == "Basic":
        raise body.found_at.error("the Basic tier has no topics")
    window = _window(body)
    detects = body.flag("requiresDuplicateDetection", default=False)
    details = _sending_details(body, window)
    topic = TopicSpec(
        resource.id,
        last(resource.id),
        duplicate_window=window if detects else None,
        time_to_live=body.duration("defaultMessageTimeToLive", None),
        max_message_bytes=_max_message_bytes(body, of_tier),
        max_size_bytes=body.number("maxSizeInMegabytes", 1024, low=1) * 1024**2,
        status=_status(body),
        details=replace(details, support_ordering=body.flag("supportOrdering", default=True)),
    )
    resource.reject_unread()
    return topic


def read_subscription(
    resource: SnapshotResource, rules: list[tuple[str, RuleSpec]]
) -> SubscriptionSpec:
    """Read a subscription; of `rules`, each with the id of its parent, it takes its own."""
    body = resource.properties
    body.only("isClientAffine", allowed=False, why="subscriptions here are for any client")
    # What describes a subscription that is for one client only.
    body.body("clientAffineProperties").reject_unread()
    forward_to = body.text("forwardTo", "") or None
    requires_session = body.flag("requiresSession", default=False)
    if requires_session and forward_to:
        raise (body.found_at / "forwardTo").error("a subscription with sessions does not forward")
    written = {rule.name.lower(): rule for of, rule in rules if normal(of) == normal(resource.id)}
    # The default rule is made with the subscription, and stays unless a rule of its name is given.
    every = {DEFAULT_RULE.lower(): RuleSpec(DEFAULT_RULE), **written}
    topic = last(parent(resource.id))
    subscription = SubscriptionSpec(
        resource.id,
        subscription_path(topic, last(resource.id)),
        lock_duration=_lock(body),
        max_delivery_count=body.number("maxDeliveryCount", 10, low=1, high=2000),
        time_to_live=body.duration("defaultMessageTimeToLive", None),
        dead_letter_on_expiration=body.flag("deadLetteringOnMessageExpiration", default=False),
        forward_to=forward_to,
        forward_dead_letters_to=body.text("forwardDeadLetteredMessagesTo", "") or None,
        requires_session=requires_session,
        status=_status(body),
        details=_details(body),
        topic=topic,
        rules=tuple(every.values()),
        dead_letter_on_filter_errors=body.flag(
            "deadLetteringOnFilterEvaluationExceptions", default=True
        ),
    )
    resource.reject_unread()
    return subscription


def read_rule(resource: SnapshotResource) -> tuple[str, RuleSpec]:
    """Read a rule; return the id of its subscription with it."""
    body = resource.properties
    kind = body.choice("filterType", ("SqlFilter", "CorrelationFilter"), "SqlFilter")
    condition: FilterSpec = TrueFilterSpec()
    if kind == "CorrelationFilter":
        condition = _correlation(body.body("correlationFilter"))
    elif body.has("sqlFilter"):
        condition = _sql(body.body("sqlFilter"))
    action = _sql(body.body("action")) if body.has("action") else None
    resource.reject_unread()
    return parent(resource.id), RuleSpec(last(resource.id), condition, action)


def _sql(body: SnapshotObject) -> SqlSpec:
    body.only("compatibilityLevel", 20, "must be 20, the only level there is")
    _read_preprocessing(body)
    found = SqlSpec(body.text("sqlExpression"))
    body.reject_unread()
    return found


def _correlation(body: SnapshotObject) -> CorrelationFilterSpec:
    names = ["CorrelationId", "MessageId", "To", "ReplyTo", "Label"]
    names += ["SessionId", "ReplyToSessionId", "ContentType"]
    _read_preprocessing(body)
    given = {name: f"{name[0].lower()}{name[1:]}" for name in names}
    system = {name: body.text(key) for name, key in given.items() if body.has(key)}
    properties = body.body("properties")
    user = {name: properties.text(name) for name in properties.names()}
    properties.reject_unread()
    body.reject_unread()
    if not system and not user:
        raise body.found_at.error("needs a property at least")
    return CorrelationFilterSpec(system, user)


def _read_preprocessing(body: SnapshotObject) -> None:
    # Azure documents no effect of it.
    body.flag("requiresPreprocessing", default=False)


def _status(body: SnapshotObject) -> EntityStatus:
    return body.choice("status", _STATUSES, "Active")


def _details(body: SnapshotObject) -> EntityDetails:
    """Take what is described of an entity and changes nothing of how it treats messages."""
    if body.duration("autoDeleteOnIdle", None) is not None:
        raise (body.found_at / "autoDeleteOnIdle").error("nothing here is deleted for being idle")
    return EntityDetails(
        user_metadata=body.text("userMetadata", ""),
        enable_batched_operations=body.flag("enableBatchedOperations", default=True),
    )


def _sending_details(body: SnapshotObject, window: timedelta) -> EntityDetails:
    """Take the same of what is sent to; `window` is described where it is not used, too."""
    body.only("enablePartitioning", allowed=False, why="queues and topics here have no partitions")
    express = body.flag("enableExpress", default=False)
    return replace(_details(body), enable_express=express, duplicate_window=window)


def _window(body: SnapshotObject) -> timedelta:
    at = body.found_at / "duplicateDetectionHistoryTimeWindow"
    window = body.duration("duplicateDetectionHistoryTimeWindow", timedelta(minutes=10))
    if window is None or not timedelta(seconds=20) <= window <= timedelta(days=7):
        raise at.error("must be from 20 seconds to 7 days")
    return window


def _lock(body: SnapshotObject) -> timedelta:
    lock = body.duration("lockDuration", _MINUTE)
    if lock is None or not timedelta(0) < lock <= 5 * _MINUTE:
        raise (body.found_at / "lockDuration").error("must be at most 5 minutes")
    return lock


def _max_message_bytes(body: SnapshotObject, of_tier: Tier) -> int:
    if of_tier != "Premium":
        body.only("maxMessageSizeInKilobytes", 256, "larger messages need the Premium tier")
        return 256 * 1024
    return body.number("maxMessageSizeInKilobytes", 1024, low=1024, high=102400) * 1024


def _check_forwards(
    resource: SnapshotResource, queues: tuple[QueueSpec, ...], targets: tuple[QueueSpec, ...]
) -> None:
    names = {target.name.lower() for target in targets}
    for queue in queues:
        for target in (queue.forward_to, queue.forward_dead_letters_to):
            if target and (target.lower() not in names or target.lower() == queue.name.lower()):
                raise resource.found_at.error(
                    f"queue {queue.name} forwards to {target}, which is not another queue here"
                )
