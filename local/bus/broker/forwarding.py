"""Where the entities of a namespace forward to: what a deployment may have, and what exists.

Source: Microsoft Learn, "Chaining Service Bus entities with autoforwarding".
"""

from __future__ import annotations

from collections.abc import Sequence

from local.deployment.resources import QueueSpec, SubscriptionSpec

MAX_HOPS = 4


def check_forwarding(specs: Sequence[QueueSpec]) -> None:
    """Raise ValueError for a forward to an unknown entity, in a circle, or over too many hops."""
    known = {spec.name.lower(): spec for spec in specs}
    for spec in specs:
        check_targets(spec, specs)
    subscriptions: dict[str, set[str]] = {}
    for spec in specs:
        if isinstance(spec, SubscriptionSpec):
            subscriptions.setdefault(spec.topic.lower(), set()).add(spec.name.lower())
    for spec in specs:
        reached, hops = {spec.name.lower()}, 0
        # From a topic to its subscriptions is not a hop.
        while reached := _next({*reached, *_all(reached, subscriptions)}, known):
            hops += 1
            if hops > MAX_HOPS:
                raise ValueError(f"queue {spec.name}: forwards in a circle, or over too many hops")


def check_targets(spec: QueueSpec, others: Sequence[QueueSpec]) -> None:
    """Raise ValueError where an entity forwards to what is not a queue or topic.

    Circles are not looked for: Service Bus takes them, and counts the hops of each message.
    """
    known = {one.name.lower() for one in others if not isinstance(one, SubscriptionSpec)}
    for target in (spec.forward_to, spec.forward_dead_letters_to):
        if target and target.lower() not in known:
            raise ValueError(f"queue {spec.name}: forwards to unknown queue {target}")


def _all(names: set[str], subscriptions: dict[str, set[str]]) -> set[str]:
    return {one for name in names for one in subscriptions.get(name, ())}


def _next(names: set[str], known: dict[str, QueueSpec]) -> set[str]:
    found = (known[name].forward_to for name in names if name in known)
    return {target.lower() for target in found if target and target.lower() in known}
