"""What an operator does to rejected messages: send them again, or drop them."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from itertools import takewhile
from typing import Protocol, TypeVar

from azure.servicebus import ServiceBusMessage, ServiceBusReceivedMessage

from ops.drop import dropped_receipt
from ops.queue_job import Action, Messages
from ops.rejected import Rejected
from ops.replay import Content, Destination, NotReplayable, Resend, decide
from shared.azure.queues import MessageTooLargeError
from shared.message.bus_message import receipts_message
from shared.message.receipt import Receipt
from shared.message.receipt_lines import LinesInOne

Report = Callable[[Sequence[Receipt]], Awaitable[None]]
"""Reports steps of messages to the ledger."""

_T = TypeVar("_T")


def _utc_now() -> datetime:
    return datetime.now(UTC)


class MessageSender(Protocol):
    """Sends to one queue: `QueueSender`."""

    async def send(self, message: ServiceBusMessage) -> None:
        """Return when the queue has taken it. Raises `BusError`."""


def replaying(
    senders: Mapping[Destination, MessageSender],
    due: Callable[[], datetime | None] = lambda: None,
) -> Action:
    """Send first; the message is completed after that, so a crash between the two can only repeat.

    The repeat has the same id, and the queue drops it within its window of duplicate detection.
    `due` returns when the next message is to be delivered, in UTC; None for at once.
    """

    def send(message: ServiceBusReceivedMessage) -> Awaitable[str | None]:
        return resend(senders, decide(Content.from_received(message)), due)

    async def replay(messages: Messages) -> list[str | None]:
        return await _all_of(map(send, messages))

    return replay


async def resend(
    senders: Mapping[Destination, MessageSender],
    decision: Resend | NotReplayable,
    due: Callable[[], datetime | None] = lambda: None,
) -> str | None:
    """Carry out a decision; return why it failed, or None. Raises `BusError` of the bus itself."""
    if isinstance(decision, NotReplayable):
        return decision.why
    message = decision.message()
    if decision.destination == "messages" and (at := due()):  # a receipt is not for the partner
        message.scheduled_enqueue_time_utc = at
    try:
        await senders[decision.destination].send(message)
    except MessageTooLargeError as error:
        return str(error)
    return None


def dropping(report: Report, now: Callable[[], datetime] = _utc_now) -> Action:
    """Report the drops first; the job completes the messages after that.

    A crash between the two leaves rejected messages that the ledger calls dropped. They can be
    dropped once more; or replayed, which counts as later in the ledger.
    """

    async def drop(messages: Messages) -> list[str | None]:
        at = now()
        found = [dropped_receipt(Rejected.from_received(message), at) for message in messages]
        await report([receipt for receipt in found if receipt])
        return [None for _ in messages]

    return drop


def by_queue(receipts: MessageSender) -> Report:
    """Report on the queue of receipts, from which the tracker records."""

    async def report(dropped: Sequence[Receipt]) -> None:
        lines = [receipt.to_json() for receipt in dropped]
        while lines:
            together = list(takewhile(LinesInOne().fits, lines))
            await receipts.send(receipts_message(together))
            lines = lines[len(together) :]

    return report


async def _all_of(calls: Iterable[Awaitable[_T]]) -> list[_T]:
    """Return what the calls return.

    All of them are waited for, so that none is still sending when the first error is raised and the
    locks of its batch are given up.
    """
    outcomes = await asyncio.gather(*calls, return_exceptions=True)
    done: list[_T] = []
    for outcome in outcomes:
        if isinstance(outcome, BaseException):
            raise outcome
        done.append(outcome)
    return done
