"""Writing queues, topics and subscriptions as descriptions.

Source: Microsoft Learn, "Service Bus REST API".
"""

from __future__ import annotations

from dataclasses import dataclass

from local.bus.administration.atom import COUNTS, description, duration, node
from local.bus.broker.entity import Counts
from local.deployment.resources import (
    AccessRule,
    NamespaceSpec,
    QueueSpec,
    SubscriptionSpec,
    TopicSpec,
)

_MEGABYTE = 1024 * 1024


@dataclass(frozen=True)
class FilterCounts:
    """How many filters of each kind the subscriptions of a topic have together."""

    sql: int
    correlation: int


@dataclass(frozen=True)
class EntityUse:
    """What is in an entity now, and how many subscriptions and filters a topic has.

    `accessed_at`: when it was last used, in seconds since 1970. `filters` is None for a version of
    the API that does not count them.
    """

    counts: Counts
    size_in_bytes: int
    accessed_at: float
    subscriptions: int = 0
    filters: FilterCounts | None = None


NO_USE = EntityUse(Counts(0, 0, 0, 0, 0), 0, 0.0)


def write_entity(spec: QueueSpec, use: EntityUse, namespace: NamespaceSpec) -> str:
    """Write the description of a queue, topic or subscription."""
    if isinstance(spec, SubscriptionSpec):
        return description(
            "SubscriptionDescription", *_receiving(spec, namespace), *_shared(spec, use)
        )
    if isinstance(spec, TopicSpec):
        return description(
            "TopicDescription", *_sending(spec, namespace), *_shared(spec, use), *_held(use)
        )
    return description(
        "QueueDescription",
        *_receiving(spec, namespace),
        *_sending(spec, namespace),
        *_shared(spec, use),
    )


def _held(use: EntityUse) -> list[str | None]:
    """Write what a topic has below it."""
    filters = use.filters
    return [
        node("SubscriptionCount", text=use.subscriptions),
        node("SqlFilterCount", text=filters.sql) if filters else None,
        node("CorrelationFilterCount", text=filters.correlation) if filters else None,
    ]


def _receiving(spec: QueueSpec, namespace: NamespaceSpec) -> list[str | None]:
    on_errors = None
    if isinstance(spec, SubscriptionSpec):
        on_errors = node(
            "DeadLetteringOnFilterEvaluationExceptions", text=spec.dead_letter_on_filter_errors
        )
    return [
        node("LockDuration", text=spec.lock_duration),
        node("RequiresSession", text=spec.requires_session),
        node("DeadLetteringOnMessageExpiration", text=spec.dead_letter_on_expiration),
        on_errors,
        node("MaxDeliveryCount", text=spec.max_delivery_count),
        _forward("ForwardTo", spec.forward_to, namespace),
        _forward("ForwardDeadLetteredMessagesTo", spec.forward_dead_letters_to, namespace),
    ]


def _forward(name: str, target: str | None, namespace: NamespaceSpec) -> str | None:
    return node(name, text=f"sb://{namespace.host}/{target}") if target else None


def _sending(spec: QueueSpec, namespace: NamespaceSpec) -> list[str | None]:
    details = spec.details
    window = spec.duplicate_window or details.duplicate_window
    is_premium = namespace.tier == "Premium"
    size = node("MaxMessageSizeInKilobytes", text=spec.max_message_bytes // 1024)
    return [
        node("MaxSizeInMegabytes", text=spec.max_size_bytes // _MEGABYTE),
        node("RequiresDuplicateDetection", text=spec.duplicate_window is not None),
        node("DuplicateDetectionHistoryTimeWindow", text=window),
        node("IsAnonymousAccessible", text=False),
        node("AuthorizationRules", *map(_write_access_rule, details.access_rules)),
        node("SupportOrdering", text=details.support_ordering),
        node("EnablePartitioning", text=details.enable_partitioning),
        node("EnableExpress", text=details.enable_express),
        size if is_premium else None,
    ]


def _write_access_rule(rule: AccessRule) -> str:
    return node(
        "AuthorizationRule",
        node("ClaimType", text="SharedAccessKey"),
        node("ClaimValue", text="None"),
        node("Rights", *(node("AccessRights", text=right) for right in rule.rights)),
        node("KeyName", text=rule.name),
        node("PrimaryKey", text=rule.primary_key),
        node("SecondaryKey", text=rule.secondary_key),
        i_type="SharedAccessAuthorizationRule",
    )


def _shared(spec: QueueSpec, use: EntityUse) -> list[str | None]:
    details, counts = spec.details, use.counts
    total = counts.active + counts.locked + counts.deferred + counts.scheduled
    return [
        node("DefaultMessageTimeToLive", text=duration(spec.time_to_live)),
        node("EnableBatchedOperations", text=details.enable_batched_operations),
        node("SizeInBytes", text=use.size_in_bytes),
        node("MessageCount", text=total + counts.dead_lettered + counts.transfer_dead_lettered),
        node("Status", text=spec.status),
        node("CreatedAt", text=details.created_at),
        node("UpdatedAt", text=details.updated_at),
        node("AccessedAt", text=use.accessed_at),
        _counts(counts),
        node("AutoDeleteOnIdle", text=duration(spec.delete_when_idle)),
        node("EntityAvailabilityStatus", text="Available"),
        node("UserMetadata", text=details.user_metadata) if details.user_metadata else None,
    ]


def _counts(counts: Counts) -> str:
    every = {
        "ActiveMessageCount": counts.active + counts.locked,
        "DeadLetterMessageCount": counts.dead_lettered,
        "ScheduledMessageCount": counts.scheduled,
        "TransferMessageCount": 0,
        "TransferDeadLetterMessageCount": counts.transfer_dead_lettered,
    }
    parts = (node(f"d2p1:{name}", text=count) for name, count in every.items())
    return node("CountDetails", *parts, xmlns_d2p1=COUNTS)
