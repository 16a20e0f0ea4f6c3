"""Where the entities of a namespace forward to: which chains of forwards are possible at all.

Source: Microsoft Learn, "Chaining Service Bus entities with autoforwarding".
"""

from __future__ import annotations

from collections.abc import Sequence

from local.deployment.resources import QueueSpec, SubscriptionSpec

MAX_HOPS = 4


def check_forwarding(
    specs: Sequence[QueueSpec], changed: Sequence[QueueSpec] | None = None
) -> None:
    """Raise ValueError for a forward to an unknown entity, in a circle, or over too many hops.

    `specs` are all entities, `changed` those of them whose targets have to exist, or None for all:
    one that forwards to what was deleted since stays as it is.
    """
    known = {spec.name.lower(): spec for spec in specs}
    for spec in specs if changed is None else changed:
        for target in (spec.forward_to, spec.forward_dead_letters_to):
            found = known.get(target.lower()) if target else None
            if target and (found is None or isinstance(found, SubscriptionSpec)):
                raise ValueError(f"queue {spec.name}: forwards to unknown queue {target}")
    subscriptions: dict[str, set[str]] = {}
    for spec in known.values():
        if isinstance(spec, SubscriptionSpec):
            subscriptions.setdefault(spec.topic.lower(), set()).add(spec.name.lower())
    for spec in known.values():
        reached, hops = {spec.name.lower()}, 0
        # From a topic to its subscriptions is no hop.
        while reached := _next({*reached, *_all(reached, subscriptions)}, known):
            hops += 1
            if hops > MAX_HOPS:
                raise ValueError(f"queue {spec.name}: forwards in a circle, or over too many hops")


def _all(names: set[str], subscriptions: dict[str, set[str]]) -> set[str]:
    return {one for name in names for one in subscriptions.get(name, ())}


def _next(names: set[str], known: dict[str, QueueSpec]) -> set[str]:
    found = (known[name].forward_to for name in names if name in known)
    return {target.lower() for target in found if target and target.lower() in known}
