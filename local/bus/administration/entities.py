"""What the administration does with the entities of a namespace, and what it refuses.

Source: Microsoft Learn, "Service Bus REST API"; "Naming rules and restrictions for Azure
resources".
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from local.bus.administration.atom import Entry, description, node, read_description
from local.bus.administration.descriptions import DescriptionContext, read_entity
from local.bus.administration.errors import bad_request, conflict, not_found
from local.bus.administration.rendering import EntityUse, FilterCounts, write_entity
from local.bus.administration.rule_descriptions import read_rule, write_rule
from local.bus.broker.address import Address
from local.bus.broker.namespace import Namespace
from local.bus.broker.queue import Queue
from local.bus.broker.topic import TOO_MANY_FILTERS, Subscription, Topic
from local.deployment.resources import (
    NamespaceSpec,
    QueueSpec,
    SubscriptionSpec,
    TopicSpec,
    subscription_path,
)
from local.deployment.rules import DEFAULT_RULE, CorrelationFilterSpec, RuleSpec
from local.resource_manager.topics import MAX_SUBSCRIPTIONS

Kind = Literal["queues", "topics", "subscriptions", "rules"]
MAX_ENTITIES = 10_000  # queues and topics of a namespace (Azure Service Bus quotas and limits)
# Source: azure-servicebus 7.15, tests/mgmt_tests/test_topic_filter_counts_live.py.
COUNTS_FILTERS_FROM = "2024-05"
_NAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._~/\-]{0,258}[A-Za-z0-9_])?")
_SUBSCRIPTION = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._\-]{0,48}[A-Za-z0-9_])?")


@dataclass(frozen=True)
class Target:
    """What an address names: a queue or topic, a subscription of it, a rule of that."""

    entity: str
    subscription: str | None = None
    rule: str | None = None

    @property
    def path(self) -> str:
        """The path of the queue, topic or subscription."""
        if self.subscription is None:
            return self.entity
        return subscription_path(self.entity, self.subscription)


class Entities:
    """The entities of one namespace, for one request; `url` is where the administration is.

    All methods raise AdministrationError.
    """

    def __init__(
        self, namespace: Namespace, spec: NamespaceSpec, url: str, api_version: str
    ) -> None:
        self._namespace = namespace
        self._spec = spec
        self._url = url
        self._context = DescriptionContext(spec, api_version, namespace.clock())

    # Reading

    def get(self, target: Target) -> Entry | None:
        """Return what is there; None for a queue or topic that is not."""
        if target.subscription is None:
            queue = self._find(target.entity)
            return None if queue is None else self._entry(queue)
        subscription = self._subscription(target)
        if target.rule is None:
            return self._entry(subscription)
        return self._rule_entry(subscription, self._rule(subscription, target.rule))

    def list(self, kind: Kind, target: Target) -> Sequence[Entry]:
        """List all entities of a kind, of a topic or subscription where they are of one."""
        if kind == "rules":
            subscription = self._subscription(target)
            rules = subscription.subscription_spec.rules
            return [self._rule_entry(subscription, rule) for rule in rules]
        if kind == "subscriptions":
            found: Sequence[Queue] = list(self._topic(target.entity).subscriptions.values())
        else:
            wanted = Topic if kind == "topics" else Queue
            found = [one for one in self._namespace.entities() if type(one) is wanted]
        return [self._entry(one) for one in sorted(found, key=lambda one: one.name.lower())]

    def namespace_info(self) -> Entry:
        """Describe the namespace."""
        content = description(
            "NamespaceInfo",
            node("CreatedTime", text=0.0),
            node("MessagingSKU", text=self._spec.tier),
            node("MessagingUnits", text=1) if self._spec.tier == "Premium" else None,
            node("ModifiedTime", text=0.0),
            node("Name", text=self._spec.name),
            node("NamespaceType", text="Messaging"),
        )
        return Entry(self._spec.name, f"{self._url}/$namespaceinfo", 0.0, 0.0, content)

    # Changing

    def put(
        self,
        target: Target,
        body: bytes,
        authorize_forward: Callable[[str, bool], None],
        *,
        exists: bool,
    ) -> Entry:
        """Make what does not exist, or change what `exists`.

        `authorize_forward` gets each target of a forward, and whether it is of dead letters.
        """
        if target.rule is not None:
            return self._put_rule(target, body, exists=exists)
        found = self._find(target.path)
        if exists and found is None:
            raise not_found(target.path)
        if not exists and found is not None:
            raise conflict(target.path)
        before = found.spec if found else self._new(target, body)
        spec = self._read(before, body, exists=exists)
        before_targets = (before.forward_to, before.forward_dead_letters_to) if exists else ()
        for name, is_dead in ((spec.forward_to, False), (spec.forward_dead_letters_to, True)):
            if name and name not in before_targets:
                authorize_forward(name, is_dead)
        try:
            if found is None:
                found = self._namespace.add(spec)
            else:
                self._namespace.change(found, spec)
        except ValueError as error:
            raise bad_request(f"{error}.") from None
        return self._entry(found)

    def delete(self, target: Target) -> None:
        """Delete what exists."""
        if target.rule is not None:
            subscription = self._subscription(target)
            rule = self._rule(subscription, target.rule)
            left = tuple(one for one in subscription.subscription_spec.rules if one is not rule)
            self._replace_rules(subscription, left)
            return
        found = self._find(target.path)
        if found is None:
            raise not_found(target.path)
        self._namespace.remove(found)

    def _read(self, before: QueueSpec, body: bytes, *, exists: bool) -> QueueSpec:
        name = {TopicSpec: "TopicDescription", SubscriptionSpec: "SubscriptionDescription"}.get(
            type(before), "QueueDescription"
        )
        return read_entity(read_description(body, name), before, self._context, exists=exists)

    def _new(self, target: Target, body: bytes) -> QueueSpec:
        if target.subscription is not None:
            return self._new_subscription(target.entity, target.subscription)
        if not _NAME.fullmatch(target.entity):
            raise bad_request("The name is not valid: letters, digits and . - _ ~ /, at most 260.")
        is_topic = b"TopicDescription" in body
        if is_topic and self._spec.tier == "Basic":
            raise bad_request("The Basic tier has no topics.")
        if len(self._namespace.entities()) >= MAX_ENTITIES:
            raise bad_request(f"A namespace has at most {MAX_ENTITIES} queues and topics.")
        resource_id = f"{self._spec.resource_id}/{'topics' if is_topic else 'queues'}"
        made = TopicSpec if is_topic else QueueSpec
        return made(f"{resource_id}/{target.entity}", target.entity)

    def _new_subscription(self, topic_name: str, name: str) -> SubscriptionSpec:
        topic = self._topic(topic_name)
        if not _SUBSCRIPTION.fullmatch(name):
            raise bad_request("The name is not valid: letters, digits and . - _, at most 50.")
        if len(topic.subscriptions) >= MAX_SUBSCRIPTIONS:
            raise bad_request(f"A topic has at most {MAX_SUBSCRIPTIONS} subscriptions.")
        return SubscriptionSpec(
            f"{topic.spec.resource_id}/subscriptions/{name}",
            subscription_path(topic.name, name),
            topic=topic.name,
            rules=(RuleSpec(DEFAULT_RULE, created_at=self._context.now),),
        )

    def _put_rule(self, target: Target, body: bytes, *, exists: bool) -> Entry:
        subscription = self._subscription(target)
        name = str(target.rule)
        rules = subscription.subscription_spec.rules
        names = [one.name.lower() for one in rules]
        position = names.index(name.lower()) if name.lower() in names else None
        path = f"{subscription.name}/Rules/{name}"
        if exists and position is None:
            raise not_found(path)
        if not exists and position is not None:
            raise conflict(path)
        rule = read_rule(read_description(body, "RuleDescription"), name, self._context.now)
        replaced = None if position is None else rules[position]
        if not subscription.topic.has_room_for(rule, replaced):
            raise bad_request(TOO_MANY_FILTERS)
        at = len(rules) if position is None else position
        self._replace_rules(subscription, (*rules[:at], rule, *rules[at + 1 :]))
        return self._rule_entry(subscription, rule)

    def _replace_rules(self, subscription: Subscription, rules: tuple[RuleSpec, ...]) -> None:
        self._namespace.change(subscription, replace(subscription.subscription_spec, rules=rules))

    # Finding

    def _find(self, path: str) -> Queue | None:
        return self._namespace.find(Address(path.lower()))

    def _topic(self, name: str) -> Topic:
        found = self._find(name)
        if not isinstance(found, Topic):
            raise not_found(name)
        return found

    def _subscription(self, target: Target) -> Subscription:
        found = self._find(target.path)
        if not isinstance(found, Subscription):
            raise not_found(target.path)
        return found

    def _rule(self, subscription: Subscription, name: str) -> RuleSpec:
        for rule in subscription.subscription_spec.rules:
            if rule.name.lower() == name.lower():
                return rule
        raise not_found(f"{subscription.name}/Rules/{name}")

    # Describing

    def _entry(self, queue: Queue) -> Entry:
        spec, details = queue.spec, queue.spec.details
        use = EntityUse(
            queue.counts(self._namespace.clock()),
            queue.size_in_bytes,
            queue.accessed_at or details.created_at,
            len(queue.subscriptions) if isinstance(queue, Topic) else 0,
            self._count_filters(queue) if isinstance(queue, Topic) else None,
        )
        title = spec.name.rpartition("/")[2] if isinstance(queue, Subscription) else spec.name
        content = write_entity(spec, use, self._spec)
        created, updated = details.created_at, details.updated_at
        return Entry(title, f"{self._url}/{spec.name}", created, updated, content)

    def _count_filters(self, topic: Topic) -> FilterCounts | None:
        if self._context.api_version < COUNTS_FILTERS_FROM:
            return None
        conditions = [
            rule.condition
            for subscription in topic.subscriptions.values()
            for rule in subscription.subscription_spec.rules
        ]
        # Those that match everything or nothing are SQL filters: "1=1" and "1=0".
        correlation = sum(isinstance(one, CorrelationFilterSpec) for one in conditions)
        return FilterCounts(len(conditions) - correlation, correlation)

    def _rule_entry(self, subscription: Subscription, rule: RuleSpec) -> Entry:
        url = f"{self._url}/{subscription.name}/Rules/{rule.name}"
        return Entry(rule.name, url, rule.created_at, rule.created_at, write_rule(rule))
