"""What has arrived at the partner: a queue of another namespace, read to its end each time."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Mapping

from azure.servicebus import ServiceBusReceiveMode

from shared.azure.network import ConnectionOptions
from shared.azure.queues import connect_by_string

_TOGETHER = 200
_QUIET = 5.0  # seconds without a message: it is empty


class Inbox:
    """Counts the messages that have arrived, by id; each is taken off the queue."""

    def __init__(
        self, connection_string: str, queue: str, network: ConnectionOptions | None = None
    ) -> None:
        self._connection_string = connection_string
        self._queue = queue
        self._network = network or ConnectionOptions()
        self._seen: Counter[str] = Counter()

    def arrived(self) -> Mapping[str, int]:
        """Take what is there, and return all that ever arrived: ids and how often each."""
        asyncio.run(self._take())
        return self._seen

    async def _take(self) -> None:
        client = connect_by_string(self._connection_string, self._network)
        async with (
            client,
            # A count of ids is all that is wanted, so none of them is worth a lock.
            client.get_queue_receiver(
                self._queue, receive_mode=ServiceBusReceiveMode.RECEIVE_AND_DELETE
            ) as receiver,
        ):
            while taken := await receiver.receive_messages(_TOGETHER, max_wait_time=_QUIET):
                self._seen.update(str(message.message_id) for message in taken)
