"""What an operator does to rejected messages: send them again, or drop them."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Mapping
from typing import Protocol

from azure.servicebus import ServiceBusMessage, ServiceBusReceivedMessage

from ops.queue_job import Action, Messages
from ops.replay import Content, Destination, NotReplayable, Resend, decide
from shared.azure.queues import MessageTooLargeError


class MessageSender(Protocol):
    """Sends to one queue: `QueueSender`."""

    async def send(self, message: ServiceBusMessage) -> None:
        """Return when the queue has taken it. Raises `BusError`."""


def replaying(senders: Mapping[Destination, MessageSender]) -> Action:
    """Send first; the message is completed after that, so a crash between the two can only repeat.

    The repeat has the same id, and the queue drops it within its window of duplicate detection.
    """

    def send(message: ServiceBusReceivedMessage) -> Awaitable[str | None]:
        return resend(senders, decide(Content.from_received(message)))

    async def replay(messages: Messages) -> list[str | None]:
        # All of them are waited for, so that none is still being sent when the first error is
        # raised and the locks of its batch are given up.
        outcomes = await asyncio.gather(*map(send, messages), return_exceptions=True)
        problems: list[str | None] = []
        for outcome in outcomes:
            if isinstance(outcome, BaseException):
                raise outcome
            problems.append(outcome)
        return problems

    return replay


async def resend(
    senders: Mapping[Destination, MessageSender], decision: Resend | NotReplayable
) -> str | None:
    """Carry out a decision; return why it failed, or None. Raises `BusError` of the bus itself."""
    if isinstance(decision, NotReplayable):
        return decision.why
    try:
        await senders[decision.destination].send(decision.message())
    except MessageTooLargeError as error:
        return str(error)
    return None


async def drop(messages: Messages) -> list[str | None]:
    """Do nothing: the job completes them."""
    return [None for _ in messages]
