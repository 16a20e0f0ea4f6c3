"""What a replay sends, and how it ends, with senders of our own in place of the bus."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime

import pytest
from azure.servicebus import ServiceBusMessage

from ops.actions import MessageSender, by_queue, dropping, resend
from ops.replay import Destination, NotReplayable, Resend
from shared.azure.queues import BusUnavailableError, MessageTooLargeError
from shared.message.receipt import Receipt
from shared.message.receipt_lines import read_lines
from shared.message.state import State

NOW = datetime(2026, 11, 23, tzinfo=UTC)


class Sent:
    """A queue that takes everything, or nothing for one reason."""

    def __init__(self, error: Exception | None = None) -> None:
        self.error = error
        self.bodies: list[bytes] = []
        self.due: list[datetime | None] = []

    async def send(self, message: ServiceBusMessage) -> None:
        if self.error:
            raise self.error
        self.bodies.append(b"".join(message.body))
        self.due.append(message.scheduled_enqueue_time_utc)


MESSAGE = Resend("messages", b"sealed", "a.r1", "application/jose")
RECEIPT = Resend("receipts", b"{}", None, "application/json")


async def test_each_goes_to_the_queue_it_came_from() -> None:
    messages, receipts = Sent(), Sent()
    senders: Mapping[Destination, MessageSender] = {"messages": messages, "receipts": receipts}
    assert await resend(senders, MESSAGE) is None
    assert await resend(senders, RECEIPT) is None
    assert (messages.bodies, receipts.bodies) == ([b"sealed"], [b"{}"])


async def test_a_replay_at_a_pace_schedules_messages_and_no_receipts() -> None:
    messages, receipts = Sent(), Sent()
    senders: Mapping[Destination, MessageSender] = {"messages": messages, "receipts": receipts}
    due = datetime(2026, 11, 26, tzinfo=UTC)
    for decision in (MESSAGE, RECEIPT):
        await resend(senders, decision, lambda: due)
    assert (messages.due, receipts.due) == ([due], [None])


async def test_what_cannot_be_replayed_is_not_sent() -> None:
    messages = Sent()
    assert await resend({"messages": messages}, NotReplayable("why")) == "why"
    assert messages.bodies == []


async def test_what_the_queue_finds_too_large_fails_alone() -> None:
    too_large = Sent(MessageTooLargeError("larger than the queue takes"))
    assert await resend({"messages": too_large}, MESSAGE) == "larger than the queue takes"


async def test_a_bus_that_is_away_ends_the_job() -> None:
    with pytest.raises(BusUnavailableError):
        await resend({"messages": Sent(BusUnavailableError("away"))}, MESSAGE)


async def test_dropping_lets_each_be_completed() -> None:
    assert await dropping(by_queue(Sent()))([]) == []


async def test_drops_are_reported_on_the_queue_of_receipts() -> None:
    receipts = Sent()
    dropped = [Receipt(f"m{n}", State.DROPPED, NOW, detail="\N{SNOWMAN}" * 250) for n in range(50)]
    await by_queue(receipts)(dropped)
    read = [line.receipt for body in receipts.bodies for line in read_lines(body)]
    assert (read, len(receipts.bodies)) == (dropped, 2)
    await by_queue(receipts)([])
    assert len(receipts.bodies) == 2


async def test_what_cannot_be_reported_is_not_dropped() -> None:
    away = by_queue(Sent(BusUnavailableError("away")))
    with pytest.raises(BusUnavailableError):
        await away([Receipt("a", State.DROPPED, NOW)])
