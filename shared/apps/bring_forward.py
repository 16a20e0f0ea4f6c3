"""Bringing forward what waits on the queue of retries.

A scheduled message cannot be changed: it gets a copy that is due sooner, under the id of its next
hop, and is then cancelled by its sequence number. Copy first, so that a crash in between can repeat
a message and not lose it.

Nothing is lost by whoever does it at once, or by a message that becomes due meanwhile. A hop of a
message leaves the queue for good in two ways only: its outcome is carried out, or the next hop is
known to have been accepted, by this queue, at some time. For a copy that the queue drops as a
duplicate shows just that: another message of the same id was accepted before, and that id, which
ends in a digest of the sealed body, has no other message. Hops are counted up, so there is a last
one that was accepted. It cannot have left the queue for a next one: it is there, or has its
outcome.

What can happen is a repeat, which the partner knows by its `webhook-id`: where a message becomes
due between its copy and its cancelling, and where a copy is made again after a crash, later than
the queue remembers ids. An attempt that fails then may also stay uncounted, since the queue drops
the next hop as a duplicate of the copy, which says one attempt less.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Protocol

from azure.servicebus import ServiceBusMessage, ServiceBusReceivedMessage

from shared.apps.forward_plan import ForwardPlan, Move
from shared.message.waiting import WaitingMessage


class WaitingQueue(Protocol):
    """The queue of retries, as `ScheduledQueue` is."""

    async def peek(self, first: int) -> Sequence[ServiceBusReceivedMessage]:
        """Return a page from a sequence number on, empty at the end."""

    async def cancel(self, numbers: Sequence[int]) -> int:
        """Cancel scheduled messages; return how many were not scheduled any more."""


@dataclass
class Forwarded:
    """How many messages were moved, and how many of them somebody else moved at the same time."""

    moved: int = 0
    contended: int = 0


@dataclass(frozen=True)
class Bounds:
    """When to end before the end of the queue is reached; None for never.

    After `idle_pages` in a row with nothing to move, after `messages` that were moved, or as soon
    as most of a page was moved by somebody else, where `yields` is set.
    """

    idle_pages: int | None = None
    messages: int | None = None
    yields: bool = False


def _utc_now() -> datetime:
    return datetime.now(UTC)


async def bring_forward(
    queue: WaitingQueue,
    send: Callable[[ServiceBusMessage], Awaitable[None]],
    plan: ForwardPlan,
    bounds: Bounds | None = None,
    *,
    goes_on: Callable[[], bool] = lambda: True,
    now: Callable[[], datetime] = _utc_now,
) -> Forwarded:
    """Do what a plan says of each page of the queue, until `goes_on` says no; return what was done.

    `send` sends to the same queue. Raises `BusError` and errors of the SDK: what was done until
    then stays done.
    """
    bounds = bounds or Bounds()
    done, idle, first = Forwarded(), 0, 1
    while goes_on() and (peeked := await queue.peek(first)):
        first = (peeked[-1].sequence_number or 0) + 1
        page = [one for message in peeked if (one := WaitingMessage.from_peeked(message))]
        if page and all(map(plan.is_own, page)):
            break  # what follows was sent by this run
        moves = plan.moves(page, now())
        gone = await _carry_out(queue, send, moves)
        done.moved += len(moves)
        done.contended += gone
        idle = 0 if moves else idle + 1
        if bounds.yields and gone > len(moves) / 2:
            break
        if idle == bounds.idle_pages or (bounds.messages and done.moved >= bounds.messages):
            break
    return done


async def _carry_out(
    queue: WaitingQueue,
    send: Callable[[ServiceBusMessage], Awaitable[None]],
    moves: Sequence[Move],
) -> int:
    """Send copies, and cancel the messages of those that the queue has; return as `cancel`."""
    copies = (send(move.message.brought_forward(move.due)) for move in moves)
    outcomes = await asyncio.gather(*copies, return_exceptions=True)
    accepted = [
        move.message.sequence_number
        for move, outcome in zip(moves, outcomes, strict=True)
        if outcome is None
    ]
    gone = await queue.cancel(accepted) if accepted else 0
    for outcome in outcomes:
        if outcome is not None:
            raise outcome
    return gone
