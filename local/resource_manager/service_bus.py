"""What Service Bus refuses of namespaces, queues, topics and subscriptions, by tier."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import timedelta

from local.resource_manager import durations
from local.resource_manager.property_rules import in_range, of
from local.resource_manager.refusal import Rule, Violation
from local.resource_manager.template import Resource, Template, is_whole, items, member

BUS = "Microsoft.ServiceBus/namespaces"
QUEUE = f"{BUS}/queues"
TOPIC = f"{BUS}/topics"
SUBSCRIPTION = f"{TOPIC}/subscriptions"
ENDPOINT = "Microsoft.Network/privateEndpoints"

_QUOTAS = "learn.microsoft.com, Azure Service Bus quotas and limits"
_TYPES = "bicep-types-az, Microsoft.ServiceBus 2026-01-01"
_FORWARDING = "learn.microsoft.com, Chaining Service Bus entities with autoforwarding"
_PREMIUM = "learn.microsoft.com, Service Bus Premium messaging tier"
_TIERS = ("basic", "standard", "premium")
_SIZES = {
    "basic": (1024, 2048, 3072, 4096, 5120),
    "standard": (1024, 2048, 3072, 4096, 5120),
    "premium": (1024, 2048, 3072, 4096, 5120, 10240, 20480, 40960, 81920),
}
_MAX_HOPS = 4
_MAX_METADATA = 1024
# What is sent to, and what is received from.
_SENT_TO = (QUEUE, TOPIC)
_RECEIVED_FROM = (QUEUE, SUBSCRIPTION)
_ENTITIES = (QUEUE, TOPIC, SUBSCRIPTION)
_DAY = timedelta(days=1)


def tier(namespace: Resource | None) -> str:
    """Return the tier of a namespace in lower case; empty where it is not known."""
    return str(namespace.known("/sku.name") or "").lower() if namespace else ""


def namespace_of(entity: Resource) -> str:
    """Return the id of the namespace that an entity is in, at any depth, in lower case."""
    before, kind, rest = entity.key.partition(f"/providers/{BUS.lower()}/")
    return f"{before}{kind}{rest.partition('/')[0]}"


def _entities(template: Template, *kinds: str) -> Iterator[tuple[Resource, str]]:
    for entity in template.of(*kinds):
        yield entity, tier(template.get(namespace_of(entity)))


def _tier(template: Template) -> Iterator[Violation]:
    for namespace in template.of(BUS):
        if namespace.body.get("sku") is None:
            continue
        name = str(namespace.known("/sku.tier") or tier(namespace)).lower()
        if tier(namespace) not in _TIERS or name != tier(namespace):
            yield Violation(
                namespace, "sku", "must be Basic, Standard or Premium, name and tier alike"
            )


def _capacity(template: Template) -> Iterator[Violation]:
    for namespace in template.of(BUS):
        units = namespace.known("/sku.capacity")
        if tier(namespace) == "premium" and units is not None and units not in (1, 2, 4, 8, 16):
            yield Violation(namespace, "sku.capacity", "must be 1, 2, 4, 8 or 16 messaging units")
        if tier(namespace) in ("basic", "standard") and units not in (None, 0):
            yield Violation(namespace, "sku.capacity", "only the Premium tier has messaging units")


def _private(template: Template) -> Iterator[Violation]:
    for endpoint in template.of(ENDPOINT):
        for connection in items(endpoint.at("privateLinkServiceConnections")):
            target = member(member(connection, "properties"), "privateLinkServiceId")
            namespace = template.get(target)
            if namespace and tier(namespace) in ("basic", "standard"):
                what = f"leads to {namespace.name}, and only the Premium tier has private endpoints"
                yield Violation(endpoint, "privateLinkServiceConnections", what)


def _rule_sets(template: Template) -> Iterator[Violation]:
    for rules in template.of(f"{BUS}/networkRuleSets"):
        if tier(template.get(rules.parent)) in ("basic", "standard"):
            yield Violation(rules, "", "only the Premium tier has network rules")


def _span(
    kinds: Sequence[str], name: str, low: timedelta, high: timedelta | None, what: str
) -> Callable[[Template], Iterator[Violation]]:
    def find(template: Template) -> Iterator[Violation]:
        for entity in template.of(*kinds):
            value = entity.known(name)
            if value is None:
                continue
            try:
                span = durations.parse(str(value))
            except ValueError:
                yield Violation(entity, name, "must be a duration such as PT1M")
                continue
            if (span is None and high is not None) or (
                span is not None and not low <= span <= (high or span)
            ):
                yield Violation(entity, name, what)

    return find


def _size(template: Template) -> Iterator[Violation]:
    for entity, of_tier in _entities(template, *_SENT_TO):
        size = entity.known("maxSizeInMegabytes")
        known = _SIZES.get(of_tier)
        if known and size is not None and size not in known:
            sizes = ", ".join(map(str, known))
            yield Violation(entity, "maxSizeInMegabytes", f"must be one of {sizes}")


def _message_size(template: Template) -> Iterator[Violation]:
    for entity, of_tier in _entities(template, *_SENT_TO):
        size = entity.known("maxMessageSizeInKilobytes")
        if of_tier in ("basic", "standard") and size not in (None, 256):
            yield Violation(entity, "maxMessageSizeInKilobytes", "only the Premium tier has it")
        if of_tier == "premium" and size is not None and not is_whole(size, 1024, 102400):
            yield Violation(entity, "maxMessageSizeInKilobytes", "must be from 1024 to 102400")


def _basic(template: Template) -> Iterator[Violation]:
    for queue, of_tier in _entities(template, QUEUE):
        if of_tier != "basic":
            continue
        for name in ("requiresDuplicateDetection", "requiresSession"):
            if queue.at(name) is True:
                yield Violation(queue, name, "the Basic tier does not have it")
        for name in ("forwardTo", "forwardDeadLetteredMessagesTo"):
            if queue.at(name):
                yield Violation(queue, name, "the Basic tier does not forward")


def _basic_life(template: Template) -> Iterator[Violation]:
    for queue, of_tier in _entities(template, QUEUE):
        if of_tier == "basic":
            value = queue.known("defaultMessageTimeToLive")
            try:
                span = durations.parse(str(value)) if value is not None else None
            except ValueError:
                continue
            if span is None or span > 14 * _DAY:
                what = "must be given in the Basic tier, 14 days at most: a second deployment fails"
                yield Violation(queue, "defaultMessageTimeToLive", what)


def _premium(template: Template) -> Iterator[Violation]:
    for entity, of_tier in _entities(template, *_SENT_TO):
        for name in ("enableExpress", "enablePartitioning"):
            if of_tier == "premium" and entity.at(name) is True:
                yield Violation(entity, name, "the Premium tier does not have it")


def _sessions(template: Template) -> Iterator[Violation]:
    for entity, _ in _entities(template, *_RECEIVED_FROM):
        if entity.at("requiresSession") is True and entity.at("forwardTo"):
            yield Violation(entity, "forwardTo", "what has sessions does not forward")


def _targets(template: Template) -> Iterator[Violation]:
    """Report forwards to what does not exist, or to the queue itself."""
    for entity, _ in _entities(template, *_RECEIVED_FROM):
        for name in ("forwardTo", "forwardDeadLetteredMessagesTo"):
            target = entity.known(name)
            if not target or not template.get(namespace_of(entity)):
                continue
            found = _target(template, entity, target)
            if found is entity:
                yield Violation(entity, name, "is the queue itself")
            elif not found:
                yield Violation(entity, name, f"{target} does not exist in the namespace")


def _target(template: Template, entity: Resource, name: object) -> Resource | None:
    for part in ("queues", "topics"):
        if found := template.get(f"{namespace_of(entity)}/{part}/{str(name).lower()}"):
            return found
    return None


def _hops(template: Template) -> Iterator[Violation]:
    for entity, _ in _entities(template, *_RECEIVED_FROM):
        hop: Resource | None = entity
        passed: set[str] = set()
        while hop is not None and hop.key not in passed and len(passed) <= _MAX_HOPS:
            passed.add(hop.key)
            name = hop.known("forwardTo")
            hop = _target(template, hop, name) if name else None
        if hop is not None:
            what = f"leads in a circle, or further than {_MAX_HOPS} hops"
            yield Violation(entity, "forwardTo", what)


def _metadata(template: Template) -> Iterator[Violation]:
    for entity in template.of(*_ENTITIES):
        if len(str(entity.known("userMetadata") or "")) > _MAX_METADATA:
            what = f"is longer than {_MAX_METADATA} characters"
            yield Violation(entity, "userMetadata", what)


RULES: tuple[Rule[Template], ...] = (
    Rule("BadRequest", _TYPES, _tier),
    Rule("BadRequest", _PREMIUM, _capacity),
    Rule(
        "BadRequest",
        "learn.microsoft.com, Allow access to Service Bus namespaces via private endpoints",
        _private,
    ),
    Rule(
        "BadRequest",
        "learn.microsoft.com, Allow access to a Service Bus namespace from specific addresses",
        _rule_sets,
    ),
    Rule(
        "BadRequest",
        _TYPES,
        _span(
            _RECEIVED_FROM,
            "lockDuration",
            timedelta(seconds=5),
            timedelta(minutes=5),
            "must be from 5 seconds to 5 minutes",
        ),
    ),
    Rule(
        "BadRequest",
        "learn.microsoft.com, Duplicate detection",
        _span(
            _SENT_TO,
            "duplicateDetectionHistoryTimeWindow",
            timedelta(seconds=20),
            7 * _DAY,
            "must be from 20 seconds to 7 days",
        ),
    ),
    Rule(
        "BadRequest",
        _TYPES,
        _span(
            _ENTITIES,
            "autoDeleteOnIdle",
            timedelta(minutes=5),
            None,
            "must be at least 5 minutes",
        ),
    ),
    Rule(
        "BadRequest",
        "Azure/azure-service-bus 306",
        _span(
            _ENTITIES,
            "defaultMessageTimeToLive",
            timedelta(seconds=1),
            None,
            "must be at least 1 second",
        ),
    ),
    Rule("BadRequest", "Azure/azure-service-bus 306", _basic_life),
    Rule(
        "BadRequest",
        f"{_QUOTAS}, maximum deliveries",
        in_range(of(*_RECEIVED_FROM), "maxDeliveryCount", 1, 2000),
    ),
    Rule("BadRequest", f"{_QUOTAS}, queue or topic size", _size),
    Rule("BadRequest", _TYPES, _message_size),
    Rule(
        "BadRequest", "learn.microsoft.com, Service Bus pricing tiers; poshbotio/PoshBot 93", _basic
    ),
    Rule("BadRequest", f"{_PREMIUM}, express entities and partitioning", _premium),
    Rule("BadRequest", _FORWARDING, _sessions),
    Rule("BadRequest", _FORWARDING, _targets),
    Rule("BadRequest", f"{_FORWARDING}; {_QUOTAS}", _hops),
    Rule("BadRequest", "azure-servicebus, create_queue, user_metadata", _metadata),
)
