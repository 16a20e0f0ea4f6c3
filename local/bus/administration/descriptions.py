"""Reading queues, topics and subscriptions from descriptions.

Source: Microsoft Learn, "Service Bus REST API"; limits: "Azure Service Bus quotas and limits".
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TypeVar
from xml.etree.ElementTree import Element

from local.bus.administration.atom import (
    Description,
    children,
)
from local.bus.administration.errors import bad_request
from local.bus.administration.rule_descriptions import read_rule
from local.bus.broker.address import path_of
from local.deployment.resources import (
    AccessRule,
    EntityStatus,
    NamespaceSpec,
    QueueSpec,
    SubscriptionSpec,
    TopicSpec,
)
from local.deployment.rules import DEFAULT_RULE
from local.resource_manager.topics import MAX_ACCESS_RULES

_Spec = TypeVar("_Spec", bound=QueueSpec)
_STATUSES: tuple[EntityStatus, ...] = ("Active", "Disabled", "SendDisabled", "ReceiveDisabled")
_SIZES = (1024, 2048, 3072, 4096, 5120)
_PREMIUM_SIZES = (*_SIZES, 10240, 20480, 40960, 81920)
_MAX_METADATA = 1024
_RIGHTS = ("Manage", "Send", "Listen")
_MEGABYTE = 1024 * 1024
_SECOND, _MINUTE, _DAY = timedelta(seconds=1), timedelta(minutes=1), timedelta(days=1)
# What only the service writes; clients send it back with an update.
_READ_ONLY = (
    *("SizeInBytes", "MessageCount", "CreatedAt", "UpdatedAt", "AccessedAt", "CountDetails"),
    *("MessageCountDetails", "EntityAvailabilityStatus", "SubscriptionCount"),
    *("SqlFilterCount", "CorrelationFilterCount"),
)
# What Azure describes as false, and clients send back so.
_ALWAYS_FALSE = (
    *("IsAnonymousAccessible", "FilteringMessagesBeforePublishing"),
    "EnableSubscriptionPartitioning",
)


@dataclass(frozen=True)
class DescriptionContext:
    """What a description is read for: the namespace, the version of the API, and the time."""

    namespace: NamespaceSpec
    api_version: str
    now: float


def read_entity(
    given: Description, new: QueueSpec, context: DescriptionContext, *, exists: bool = False
) -> QueueSpec:
    """Read the properties that queues, topics and subscriptions share, and then their own.

    `new` is an entity with defaults, or the one that `exists`. Raises AdministrationError.
    """
    given.ignore(*_READ_ONLY)
    for name in _ALWAYS_FALSE:
        if given.flag(name, default=False):
            raise bad_request(f"{name} is not supported here.")
    spec = _read_shared(given, new, context)
    if isinstance(spec, SubscriptionSpec):
        spec = _read_subscription(given, spec, context)
    else:
        spec = _read_sending(given, spec, context)
    if not isinstance(spec, TopicSpec):
        spec = _read_receiving(given, spec)
    given.reject_unread()
    if exists:
        _check_unchanged(new, spec)
    return spec


def _read_shared(given: Description, new: _Spec, context: DescriptionContext) -> _Spec:
    status = given.text("Status") or "Active"
    known = next((one for one in _STATUSES if one == status), None)
    if known is None:
        raise bad_request(f"Status must be one of {', '.join(_STATUSES)}.")
    metadata = given.text("UserMetadata") or ""
    if len(metadata) > _MAX_METADATA:
        raise bad_request(f"UserMetadata has at most {_MAX_METADATA} characters.")
    details = replace(
        new.details,
        user_metadata=metadata,
        enable_batched_operations=given.flag("EnableBatchedOperations", default=True),
        created_at=new.details.created_at or context.now,
        updated_at=context.now,
    )
    return replace(
        new,
        time_to_live=given.duration("DefaultMessageTimeToLive", None, _SECOND),
        delete_when_idle=given.duration("AutoDeleteOnIdle", None, 5 * _MINUTE),
        status=known,
        details=details,
    )


def _read_sending(given: Description, spec: _Spec, context: DescriptionContext) -> _Spec:
    """Read what queues and topics have, which are sent to."""
    is_premium = context.namespace.tier == "Premium"
    sizes = _PREMIUM_SIZES if is_premium else _SIZES
    size = given.number("MaxSizeInMegabytes", 1024, 1, sizes[-1])
    if size not in sizes:
        raise bad_request(f"MaxSizeInMegabytes must be one of {', '.join(map(str, sizes))}.")
    kilobytes = _message_size(given, context)
    window = given.duration(
        "DuplicateDetectionHistoryTimeWindow", 10 * _MINUTE, 20 * _SECOND, 7 * _DAY
    )
    assert window is not None  # noqa: S101 - it has a highest value
    details = replace(
        spec.details,
        enable_express=given.flag("EnableExpress", default=False),
        enable_partitioning=given.flag(
            "EnablePartitioning", default=spec.details.enable_partitioning
        ),
        support_ordering=given.flag("SupportOrdering", default=True),
        duplicate_window=window,
        access_rules=_access_rules(given, context),
    )
    if is_premium and (details.enable_express or details.enable_partitioning):
        raise bad_request("The Premium tier has neither express entities nor partitioning.")
    detects = given.flag("RequiresDuplicateDetection", default=spec.duplicate_window is not None)
    if detects and details.enable_express:
        raise bad_request("An express entity cannot detect duplicates.")
    return replace(
        spec,
        max_size_bytes=size * _MEGABYTE,
        max_message_bytes=kilobytes * 1024,
        duplicate_window=window if detects else None,
        details=details,
    )


def _message_size(given: Description, context: DescriptionContext) -> int:
    text = given.text("MaxMessageSizeInKilobytes")
    if context.namespace.tier != "Premium":
        # What a response says may come back; what a client asks for is refused.
        if text not in (None, "", "256"):
            raise bad_request("MaxMessageSizeInKilobytes needs the Premium tier.")
        return 256
    if text in (None, ""):
        return 1024
    if context.api_version < "2021-05":
        raise bad_request("MaxMessageSizeInKilobytes needs api-version 2021-05.")
    digits = str(text)
    if not digits.isascii() or not digits.isdigit() or not 1024 <= int(digits[:9]) <= 102400:
        raise bad_request("MaxMessageSizeInKilobytes must be a whole number from 1024 to 102400.")
    return int(digits)


def _read_receiving(given: Description, spec: _Spec) -> _Spec:
    """Read what queues and subscriptions have, which are received from."""
    lock = given.duration("LockDuration", _MINUTE, 5 * _SECOND, 5 * _MINUTE)
    assert lock is not None  # noqa: S101 - it has a highest value
    requires_session = given.flag("RequiresSession", default=spec.requires_session)
    forward_to = _target(given, "ForwardTo")
    if requires_session and forward_to:
        raise bad_request("ForwardTo: an entity with sessions does not forward.")
    return replace(
        spec,
        lock_duration=lock,
        requires_session=requires_session,
        max_delivery_count=given.number("MaxDeliveryCount", 10, 1, 2000),
        dead_letter_on_expiration=given.flag("DeadLetteringOnMessageExpiration", default=False),
        forward_to=forward_to,
        forward_dead_letters_to=_target(given, "ForwardDeadLetteredMessagesTo"),
    )


def _read_subscription(
    given: Description, spec: SubscriptionSpec, context: DescriptionContext
) -> SubscriptionSpec:
    rules = spec.rules
    if (element := given.element("DefaultRuleDescription")) is not None:
        rule = Description(element)
        name = rule.text("Name") or DEFAULT_RULE
        rules = (read_rule(rule, name, context.now),)
    on_errors = given.flag("DeadLetteringOnFilterEvaluationExceptions", default=True)
    return replace(spec, rules=rules, dead_letter_on_filter_errors=on_errors)


def _target(given: Description, name: str) -> str | None:
    # The host is not compared: a local namespace has several names.
    text = given.text(name)
    if not text:
        return None
    target = text.strip("/") if "://" not in text else path_of(text)
    if not target:
        raise bad_request(f"{name} must name an entity.")
    return target


def _access_rules(given: Description, context: DescriptionContext) -> tuple[AccessRule, ...]:
    element = given.element("AuthorizationRules")
    rules = [_access_rule(one) for _, one in children(element)] if element is not None else []
    if rules and context.namespace.local_auth:
        # Where local authentication is off they are kept, and give nobody access, as in Azure.
        raise bad_request("AuthorizationRules: the local cloud serves no shared access keys.")
    if len(rules) > MAX_ACCESS_RULES:
        raise bad_request(f"AuthorizationRules: an entity has at most {MAX_ACCESS_RULES}.")
    if len({rule.name.lower() for rule in rules}) != len(rules):
        raise bad_request("AuthorizationRules: each needs a name of its own.")
    return tuple(rules)


def _access_rule(element: Element) -> AccessRule:
    given = Description(element)
    given.ignore("CreatedTime", "ModifiedTime")
    claim = (given.text("ClaimType") or "SharedAccessKey", given.text("ClaimValue") or "None")
    if claim != ("SharedAccessKey", "None"):
        raise bad_request("AuthorizationRules: ClaimType must be SharedAccessKey, ClaimValue None.")
    rights = given.element("Rights")
    found = [(one.text or "") for _, one in children(rights)] if rights is not None else []
    rule = AccessRule(
        given.text("KeyName") or "",
        tuple(found),
        given.text("PrimaryKey") or "",
        given.text("SecondaryKey") or "",
    )
    given.reject_unread()
    if not rule.name or not found or any(one not in _RIGHTS for one in found):
        raise bad_request("AuthorizationRules: each needs a KeyName, and Manage, Send or Listen.")
    if "Manage" in found and len(set(found)) < len(_RIGHTS):
        raise bad_request("AuthorizationRules: Manage needs Send and Listen beside it.")
    return rule


def _check_unchanged(before: QueueSpec, after: QueueSpec) -> None:
    values: dict[str, Callable[[QueueSpec], object]] = {
        "RequiresDuplicateDetection": lambda spec: spec.duplicate_window is not None,
        "RequiresSession": lambda spec: spec.requires_session,
        "EnablePartitioning": lambda spec: spec.details.enable_partitioning,
    }
    for name, value in values.items():
        if value(before) != value(after):
            raise bad_request(f"{name} cannot be changed once the entity exists.")
