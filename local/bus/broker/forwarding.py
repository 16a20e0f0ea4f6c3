"""Where the entities of a namespace forward to, and which messages cannot go there.

Source: Microsoft Learn, "Chaining Service Bus entities with autoforwarding", "Overview of Service
Bus dead-letter queues".
"""

from __future__ import annotations

from collections.abc import Sequence

from local.bus.amqp.errors import AmqpError
from local.bus.broker.admission import check_message
from local.bus.broker.entry import QueueEntry
from local.bus.broker.queue import Queue
from local.deployment.resources import QueueSpec, SubscriptionSpec

MAX_HOPS = 4
_TOO_MANY_HOPS = (
    "MaxTransferHopCountExceeded",
    f"The maximum number of allowed hops when forwarding between queues is {MAX_HOPS}.",
)


def check_forwarding(specs: Sequence[QueueSpec]) -> None:
    """Raise ValueError for a forward to an unknown queue or topic, or to the queue itself.

    A circle, or a chain of too many hops, can be deployed: its messages are dead-lettered.
    """
    for spec in specs:
        for target in (spec.forward_to, spec.forward_dead_letters_to):
            if target is not None and target.lower() == spec.name.lower():
                raise ValueError(f"queue {spec.name}: forwards to {target}, not another queue")
        check_targets(spec, specs)


def check_targets(spec: QueueSpec, others: Sequence[QueueSpec]) -> None:
    """Raise ValueError where an entity forwards to what is not a queue or topic."""
    known = {one.name.lower() for one in others if not isinstance(one, SubscriptionSpec)}
    for target in (spec.forward_to, spec.forward_dead_letters_to):
        if target is not None and target.lower() not in known:
            raise ValueError(f"queue {spec.name}: forwards to {target}, which does not exist")


def not_forwardable(entry: QueueEntry, target: Queue) -> tuple[str, str] | None:
    """Return reason and description where a queue never takes a message from another."""
    if entry.message.hops >= MAX_HOPS:
        return _TOO_MANY_HOPS
    try:
        check_message(target.spec, entry.message, entry.message.size)
    except AmqpError as error:
        return error.condition, error.description
    return None
