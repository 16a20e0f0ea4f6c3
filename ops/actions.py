"""What an operator does to rejected messages: send them on their way again, or drop them."""

from __future__ import annotations

import asyncio

from azure.servicebus import ServiceBusReceivedMessage

from ops.queue_job import Action, Messages
from ops.rejected import NotReplayableError, is_receipt, replayed, replayed_receipt
from shared.azure.queues import MessageTooLargeError, QueueSender


def replaying(messages_sender: QueueSender, receipts_sender: QueueSender) -> Action:
    """Send first; the message is completed after that, so a crash between the two can only repeat.

    The repeat has the same id, and the queue drops it within its window of duplicate detection.
    A receipt goes to the queue of receipts; the ledger takes it any number of times.
    """

    async def replay(messages: Messages) -> list[str | None]:
        sending = (_send(messages_sender, receipts_sender, message) for message in messages)
        outcomes = await asyncio.gather(*sending, return_exceptions=True)
        problems: list[str | None] = []
        for outcome in outcomes:
            if isinstance(outcome, BaseException):
                raise outcome
            problems.append(outcome)
        return problems

    return replay


async def drop(messages: Messages) -> list[str | None]:
    """Do nothing but let them be completed."""
    return [None for _ in messages]


async def _send(
    messages_sender: QueueSender, receipts_sender: QueueSender, message: ServiceBusReceivedMessage
) -> str | None:
    try:
        if is_receipt(message):
            await receipts_sender.send(replayed_receipt(message))
        else:
            await messages_sender.send(replayed(message))
    except (NotReplayableError, MessageTooLargeError) as error:
        return str(error)
    return None
