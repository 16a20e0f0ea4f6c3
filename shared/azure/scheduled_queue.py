"""The scheduled messages of a queue: peeked, and cancelled before they are due.

Source: Microsoft Learn, "Message browsing", and "AMQP 1.0 in Azure Service Bus:
request-response-based operations". Peeking takes the right to receive, cancelling that to send.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from azure.servicebus import ServiceBusReceivedMessage
from azure.servicebus.aio import ServiceBusClient, ServiceBusReceiver, ServiceBusSender
from azure.servicebus.exceptions import MessageNotFoundError, ServiceBusError

_PAGE = 100
# What the bus says to the second of two who cancel one message (azure-service-bus-go 177).
_BEING_CANCELLED = "already being cancelled"


class ScheduledQueue:
    """A queue whose scheduled messages are looked at; its links are open until `opened` ends."""

    def __init__(self, receiver: ServiceBusReceiver, sender: ServiceBusSender) -> None:
        self._receiver = receiver
        self._sender = sender

    @classmethod
    @asynccontextmanager
    async def opened(cls, client: ServiceBusClient, queue: str) -> AsyncIterator[ScheduledQueue]:
        """Give one under the identity of a client."""
        async with (
            client.get_queue_receiver(queue) as receiver,
            client.get_queue_sender(queue) as sender,
        ):
            yield cls(receiver, sender)

    async def peek(self, first: int) -> Sequence[ServiceBusReceivedMessage]:
        """Return a page of what is on the queue, in whatever state, from a sequence number on.

        No more than fits into one answer, and nothing only where there is nothing more.
        """
        return await self._receiver.peek_messages(_PAGE, sequence_number=first)

    async def cancel(self, numbers: Sequence[int]) -> int:
        """Cancel messages; return how many of them were not scheduled any more.

        They are due, or somebody else has cancelled them.
        """
        try:
            await self._sender.cancel_scheduled_messages(list(numbers))
        except ServiceBusError as error:
            if not _is_gone(error):
                raise
            if len(numbers) == 1:
                return 1
        else:
            return 0
        # One that is gone fails the request for all.
        half = len(numbers) // 2
        return await self.cancel(numbers[:half]) + await self.cancel(numbers[half:])


def _is_gone(error: ServiceBusError) -> bool:
    return isinstance(error, MessageNotFoundError) or _BEING_CANCELLED in str(error)
