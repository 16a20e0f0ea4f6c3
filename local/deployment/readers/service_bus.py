"""Service Bus namespaces and their queues."""

from __future__ import annotations

from datetime import timedelta
from typing import Literal

from local.deployment.resource_id import last, normal, parent
from local.deployment.resources import NamespaceSpec, QueueSpec
from local.deployment.snapshot import SnapshotObject, SnapshotResource

KIND = "Microsoft.ServiceBus/namespaces"
QUEUE_KIND = f"{KIND}/queues"

Tier = Literal["Basic", "Standard", "Premium"]
_TIERS: tuple[Tier, ...] = ("Basic", "Standard", "Premium")
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


def read(resource: SnapshotResource, of_tier: Tier, queues: list[QueueSpec]) -> NamespaceSpec:
    """Read a namespace; of `queues` it takes its own."""
    body = resource.properties
    # The network around a namespace, its copies, and its encryption at rest.
    body.ignore("minimumTlsVersion", "publicNetworkAccess", "zoneRedundant", "encryption")
    body.ignore("premiumMessagingPartitions")
    local_auth = not body.flag("disableLocalAuth", default=False)
    resource.reject_unread()
    name = last(resource.id)
    own = tuple(q for q in queues if normal(parent(q.resource_id)) == normal(resource.id))
    _check_forwards(resource, own)
    host = f"{name}.servicebus.windows.net"
    return NamespaceSpec(resource.id, name, host, of_tier, local_auth, own)


def read_queue(resource: SnapshotResource, of_tier: Tier) -> QueueSpec:
    """Read a queue of a namespace of that tier."""
    body = resource.properties
    _only_plain_queues(body)
    window = _window(body)
    forward_to = body.text("forwardTo", "") or None
    forward_dead_letters_to = body.text("forwardDeadLetteredMessagesTo", "") or None
    requires_session = body.flag("requiresSession", default=False)
    if of_tier == "Basic" and (window or forward_to or forward_dead_letters_to or requires_session):
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
        duplicate_window=window,
        time_to_live=body.duration("defaultMessageTimeToLive", None),
        dead_letter_on_expiration=body.flag("deadLetteringOnMessageExpiration", default=False),
        forward_to=forward_to,
        forward_dead_letters_to=forward_dead_letters_to,
        max_message_bytes=_max_message_bytes(body, of_tier),
        max_size_bytes=body.number("maxSizeInMegabytes", 1024, low=1) * 1024**2,
        requires_session=requires_session,
    )
    resource.reject_unread()
    return queue


def _only_plain_queues(body: SnapshotObject) -> None:
    body.ignore("enableBatchedOperations", "enableExpress", "userMetadata")
    body.only("enablePartitioning", allowed=False, why="queues here have no partitions")
    body.only("status", allowed="Active", why="queues here are always active")
    if body.duration("autoDeleteOnIdle", None) is not None:
        raise (body.found_at / "autoDeleteOnIdle").error("queues here stay when idle")


def _window(body: SnapshotObject) -> timedelta | None:
    wanted = body.flag("requiresDuplicateDetection", default=False)
    at = body.found_at / "duplicateDetectionHistoryTimeWindow"
    window = body.duration("duplicateDetectionHistoryTimeWindow", timedelta(minutes=10))
    if window is None or not timedelta(seconds=20) <= window <= timedelta(days=7):
        raise at.error("must be from 20 seconds to 7 days")
    return window if wanted else None


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


def _check_forwards(resource: SnapshotResource, queues: tuple[QueueSpec, ...]) -> None:
    names = {queue.name.lower() for queue in queues}
    for queue in queues:
        for target in (queue.forward_to, queue.forward_dead_letters_to):
            if target and (target.lower() not in names or target.lower() == queue.name.lower()):
                raise resource.found_at.error(
                    f"queue {queue.name} forwards to {target}, which is not another queue here"
                )
