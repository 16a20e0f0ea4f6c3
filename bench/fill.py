"""`python -m bench.fill COUNT SIZE EVERY TRACED`, as the sender: put sealed messages on the queue.

In batches, faster than any caller, so that what takes them off can be measured. Every so many-th
message has the content type of those that the partner is slow with; 0 for none. Each belongs to a
trace of its own if TRACED is `True`. Prints how many.
"""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Iterable
from typing import cast
from uuid import uuid4

from azure.servicebus.aio import ServiceBusSender

from bench.load import trace_of_its_own
from shared.message.bus_message import outgoing
from shared.message.envelope import DataKey, WrappedKey, seal
from shared.message.payload_key import PayloadKey
from shared.message.protected_header import ALGORITHM, MessageHeader
from shared.settings import environment
from shared.settings.settings import SenderSettings
from shared.standards.trace_context import TraceContext

SLOW = "text/slow"
"""The content type of messages that the partner is slow with, where a fault says so."""

_USUAL = "application/octet-stream"
_MESSAGES_OF_A_KEY = 1000


async def fill(
    settings: SenderSettings, count: int, size: int, every: int, *, is_traced: bool
) -> None:
    """Send `count` sealed messages of `size` bytes of payload each."""
    azure = settings.clients
    key = PayloadKey(azure.key(settings.payload_key, settings.encrypt_identity, ALGORITHM))
    async with (
        azure.bus(settings.bus_identity) as bus,
        bus.get_queue_sender(settings.messages_queue) as sender,
    ):
        for done in range(0, count, _MESSAGES_OF_A_KEY):
            data_key = DataKey.generate()
            wrapped = await key.encrypt(data_key.secret)
            numbers = range(done + 1, min(done + _MESSAGES_OF_A_KEY, count) + 1)
            kinds = (SLOW if every and n % every == 0 else _USUAL for n in numbers)
            await _send(sender, data_key, wrapped, os.urandom(size), kinds, is_traced=is_traced)
    await key.close()


async def _send(
    sender: ServiceBusSender,
    key: DataKey,
    wrapped: WrappedKey,
    payload: bytes,
    content_types: Iterable[str],
    *,
    is_traced: bool,
) -> None:
    batch = await sender.create_message_batch()
    for content_type in content_types:
        message_id = str(uuid4())
        token = seal(payload, MessageHeader(message_id, content_type), key, wrapped)
        trace = TraceContext.from_headers(trace_of_its_own()) if is_traced else None
        message = outgoing(token, message_id, trace)
        try:
            batch.add_message(message)
        except ValueError:  # it is full
            await sender.send_messages(batch)
            batch = await sender.create_message_batch()
            batch.add_message(message)
    await sender.send_messages(batch)


def main(arguments: list[str]) -> None:
    """Fill the queue of the deployment that the environment is of."""
    count, size, every = map(int, arguments[:3])
    settings = cast("SenderSettings", environment.load(os.environ)["sender"])
    asyncio.run(fill(settings, count, size, every, is_traced=arguments[3] == str(True)))
    print(count)


if __name__ == "__main__":
    main(sys.argv[1:])
