"""What was administered of a namespace, as a file keeps it from one start to the next.

Entities of the deployment begin as they are deployed, as a deployment to Azure writes them anew;
all others, and rules that the deployment does not write, stay as they were left.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

from local.bus.administration.application import API_VERSIONS
from local.bus.administration.atom import Entry, entry, read_description
from local.bus.administration.descriptions import DescriptionContext, read_entity
from local.bus.administration.errors import AdministrationError
from local.bus.administration.rendering import NO_USE, write_entity
from local.bus.administration.rule_descriptions import read_rule, write_rule
from local.deployment.resources import NamespaceSpec, QueueSpec, SubscriptionSpec, TopicSpec
from local.deployment.rules import DEFAULT_RULE, RuleSpec

_KINDS: dict[str, type[QueueSpec]] = {
    "QueueDescription": QueueSpec,
    "TopicDescription": TopicSpec,
    "SubscriptionDescription": SubscriptionSpec,
}


def dump(entities: Sequence[QueueSpec], namespace: NamespaceSpec) -> str:
    """Write what differs from the deployment's namespace."""
    deployed = {one.name.lower(): one for one in namespace.entities}
    kept = [
        _dump_one(one, namespace)
        for one in entities
        if one.name.lower() not in deployed or _has_own_rules(one, deployed[one.name.lower()])
    ]
    return json.dumps({"version": 1, "entities": kept}, indent=1) + "\n"


def load(text: str, namespace: NamespaceSpec) -> list[QueueSpec]:
    """Put the deployment's entities and those that were kept together.

    Raises ValueError for what `dump` does not write.
    """
    try:
        document = json.loads(text)
        kept = list(_load_all(document["entities"], namespace))
    except (AdministrationError, KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"it is malformed: {error}") from None
    by_name: dict[str, QueueSpec] = {one.name.lower(): one for one in namespace.entities}
    for one in sorted(kept, key=lambda spec: isinstance(spec, SubscriptionSpec)):
        deployed = by_name.get(one.name.lower())
        if isinstance(deployed, SubscriptionSpec) and isinstance(one, SubscriptionSpec):
            by_name[one.name.lower()] = replace(deployed, rules=_merged(deployed, one))
        elif deployed is None and _has_parent(one, by_name):
            by_name[one.name.lower()] = one
    return list(by_name.values())


def _has_own_rules(spec: QueueSpec, deployed: QueueSpec) -> bool:
    return (
        isinstance(spec, SubscriptionSpec)
        and isinstance(deployed, SubscriptionSpec)
        and spec.rules != deployed.rules
    )


def _has_parent(spec: QueueSpec, known: dict[str, QueueSpec]) -> bool:
    if not isinstance(spec, SubscriptionSpec):
        return True
    return isinstance(known.get(spec.topic.lower()), TopicSpec)


def _merged(deployed: SubscriptionSpec, kept: SubscriptionSpec) -> tuple[RuleSpec, ...]:
    # The default rule that a deployment does not name is made with the subscription only.
    written = {one.name.lower(): one for one in deployed.rules if one != RuleSpec(DEFAULT_RULE)}
    left = {one.name.lower(): one for one in kept.rules}
    return tuple({**left, **written}.values())


def _dump_one(spec: QueueSpec, namespace: NamespaceSpec) -> dict[str, object]:
    described = write_entity(spec, NO_USE, namespace)
    details = spec.details
    found: dict[str, object] = {
        "name": spec.name,
        "kind": next(kind for kind, made in _KINDS.items() if type(spec) is made),
        "resource_id": spec.resource_id,
        "created_at": details.created_at,
        "updated_at": details.updated_at,
        "description": _document(described),
    }
    if isinstance(spec, SubscriptionSpec):
        found["topic"] = spec.topic
        found["rules"] = [
            {
                "name": rule.name,
                "created_at": rule.created_at,
                "description": _document(write_rule(rule)),
            }
            for rule in spec.rules
        ]
    return found


def _document(content: str) -> str:
    return entry(Entry("", "", 0.0, 0.0, content))


def _load_all(entities: Sequence[dict[str, Any]], namespace: NamespaceSpec) -> Iterator[QueueSpec]:
    for one in entities:
        created, updated = float(one["created_at"]), float(one["updated_at"])
        made = _KINDS[one["kind"]](str(one["resource_id"]), str(one["name"]))
        given = read_description(one["description"].encode(), one["kind"])
        context = DescriptionContext(namespace, API_VERSIONS[-1], updated)
        spec = read_entity(given, made, context)
        spec = replace(spec, details=replace(spec.details, created_at=created, updated_at=updated))
        if isinstance(spec, SubscriptionSpec):
            rules = tuple(map(_load_rule, one["rules"]))
            spec = replace(spec, topic=str(one["topic"]), rules=rules)
        yield spec


def _load_rule(one: dict[str, Any]) -> RuleSpec:
    given = read_description(one["description"].encode(), "RuleDescription")
    return read_rule(given, str(one["name"]), float(one["created_at"]))
