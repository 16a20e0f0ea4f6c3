"""The commands on what waits for its next attempt: list it, and bring it forward."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from local.cli.output import notify, printable
from ops.message_list import MessageList
from ops.retries_listing import listed, show_table
from ops.target import Target
from shared.apps.bring_forward import bring_forward
from shared.apps.forward_plan import ForwardPlan
from shared.azure.queues import QueueSender
from shared.azure.scheduled_queue import ScheduledQueue
from shared.message.ramp import Ramp
from shared.message.waiting import WaitingMessage

OPERATOR = "retry_officer"
_NO_SUCH = "there is no such waiting message, or it is due within seconds"
_LIST = MessageList[WaitingMessage](
    listed,
    show_table,
    nothing="no message waits for its next attempt",
    further=lambda last: f"--after {last.sequence_number} shows those behind them",
)
_AT_ONCE = Ramp.constant(1000)


@dataclass
class WaitingSelection:
    """Which waiting messages: those named by id or `#SEQUENCE`, or all where none is named.

    `led` are the names that have led to a message so far.
    """

    names: frozenset[str]
    led: set[str] = field(default_factory=set)

    def __call__(self, message: WaitingMessage) -> bool:
        """Return whether a message is among them."""
        if not self.names:
            return True
        own = {message.id.id, message.bus_id, f"#{message.sequence_number}"} & self.names
        self.led |= own
        return bool(own)

    @property
    def missing(self) -> list[str]:
        """The names that have led to no message."""
        return sorted(self.names - self.led)


async def show_waiting(target: Target, limit: int, after: int, *, as_json: bool) -> int:
    """List what waits, in the order of the queue, at most `limit` from behind a number on."""
    async with (
        target.client() as client,
        ScheduledQueue.opened(client, target.retries) as queue,
    ):
        found = await _first(queue, limit + 1, after)
    _LIST.show(found, limit, datetime.now(UTC), as_json=as_json)
    return 0


async def retry(target: Target, names: Sequence[str], rate: int | None, *, as_json: bool) -> int:
    """Bring messages forward: those named at once, or all of them at a pace.

    `rate` is in messages a second; None for one that grows.
    """
    wanted = WaitingSelection(frozenset(names))
    pace = _AT_ONCE if names else Ramp.constant(rate) if rate else Ramp()
    async with (
        target.client() as client,
        ScheduledQueue.opened(client, target.retries) as queue,
    ):
        sender = QueueSender(client, target.retries)
        plan = ForwardPlan(datetime.now(UTC), pace, wanted)
        done = await bring_forward(queue, sender.send, plan)
    if as_json:
        missing = [{"id": name, "why": _NO_SUCH} for name in wanted.missing]
        print(json.dumps({"brought_forward": done.moved, "not_done": missing}))
    else:
        count = f"{done.moved} message" if done.moved == 1 else f"{done.moved} messages"
        print(f"brought forward {count}")
        for name in wanted.missing:
            notify(f"not brought forward: {printable(name)}: {_NO_SUCH}")
    return 1 if wanted.missing else 0


async def _first(queue: ScheduledQueue, count: int, after: int) -> list[WaitingMessage]:
    found: list[WaitingMessage] = []
    first = after + 1
    while len(found) < count and (page := await queue.peek(first)):
        first = (page[-1].sequence_number or 0) + 1
        found += [one for message in page if (one := WaitingMessage.from_peeked(message))]
    return found[:count]
