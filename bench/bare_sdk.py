"""The bare SDK, as its samples use it: what sending, receiving and completing cost by themselves.

- `python -m bench.bare_sdk send COUNT SIZE`, as the sender: one message after the other
- `python -m bench.bare_sdk receive COUNT`, as the receiver: up to 32 at a time, each completed
- `python -m bench.bare_sdk trip COUNT SIZE PAUSE`, as the receiver: one at a time, all the way,
  with so many milliseconds between two

Each prints JSON with Unix times, or with seconds for each message.
"""

from __future__ import annotations

import asyncio
import json
import os
import ssl
import sys
import time
from collections.abc import Mapping
from typing import Any
from uuid import uuid4

import aiohttp
from azure.identity.aio import ManagedIdentityCredential
from azure.servicebus import ServiceBusMessage, TransportType
from azure.servicebus.aio import ServiceBusClient

_AT_ONCE = 32
_WAIT_SECONDS = 5.0
_PATIENCE_SECONDS = 120.0


def _client(environment: Mapping[str, str], identity: str) -> ServiceBusClient:
    # The credential takes the endpoint's header when it is made: two apps in one process.
    os.environ["IDENTITY_ENDPOINT"] = environment["IDENTITY_ENDPOINT"]
    os.environ["IDENTITY_HEADER"] = environment["IDENTITY_HEADER"]
    return ServiceBusClient(
        environment["RELAY_BUS__fullyQualifiedNamespace"],
        ManagedIdentityCredential(client_id=environment[identity]),
        transport_type=TransportType.Amqp,
        custom_endpoint_address=environment["RELAY_BUS_ENDPOINT"],
        connection_verify=environment["RELAY_CA_BUNDLE"],
    )


def _message(size: int) -> ServiceBusMessage:
    return ServiceBusMessage(os.urandom(size), message_id=str(uuid4()))


async def send(count: int, size: int) -> dict[str, float]:
    """Send one message after the other; return when the first was sent."""
    queue = os.environ["RELAY_QUEUE_MESSAGES"]
    async with (
        _client(os.environ, "RELAY_IDENTITY_SENDER_BUS") as client,
        client.get_queue_sender(queue) as sender,
    ):
        begun = time.time()
        for _ in range(count):
            await sender.send_messages(_message(size))
    return {"begun": begun}


async def receive(count: int) -> dict[str, float]:
    """Receive and complete so many; return when the last was completed."""
    queue = os.environ["RELAY_QUEUE_MESSAGES"]
    left, until = count, time.monotonic() + _PATIENCE_SECONDS
    async with (
        _client(os.environ, "RELAY_IDENTITY_RECEIVER_BUS") as client,
        client.get_queue_receiver(queue) as receiver,
    ):
        while left > 0 and time.monotonic() < until:
            messages = await receiver.receive_messages(_AT_ONCE, max_wait_time=_WAIT_SECONDS)
            await asyncio.gather(*(receiver.complete_message(one) for one in messages))
            left -= len(messages)
    return {"ended": time.time(), "left": left}


async def trip(
    count: int, size: int, pause: int, given: Mapping[str, Any]
) -> dict[str, list[float]]:
    """Send, receive, post and complete one message at a time; return seconds of each part.

    `pause` is in milliseconds: processes that were idle take longer than those in full swing.
    """
    sends, trips = [], []
    tls = ssl.create_default_context(cafile=os.environ["RELAY_CA_BUNDLE"])
    queue = os.environ["RELAY_QUEUE_MESSAGES"]
    receiving = _client(os.environ, "RELAY_IDENTITY_RECEIVER_BUS")
    sending = _client(given["sender"], "RELAY_IDENTITY_SENDER_BUS")
    async with (
        receiving,
        sending,
        receiving.get_queue_receiver(queue) as receiver,
        sending.get_queue_sender(queue) as sender,
        aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=tls)) as session,
    ):
        for _ in range(count):
            await asyncio.sleep(pause / 1000)
            begun = time.perf_counter()
            await sender.send_messages(_message(size))
            sends.append(time.perf_counter() - begun)
            (message,) = await receiver.receive_messages(1, max_wait_time=_WAIT_SECONDS)
            body = b"".join(message.body)
            async with session.post(given["partner"], data=body) as answer:
                await answer.read()
            trips.append(time.perf_counter() - begun)
            await receiver.complete_message(message)
    return {"sends": sends, "trips": trips}


def main(arguments: list[str]) -> None:
    """Run one of the commands."""
    command, *numbers = arguments
    given = json.load(sys.stdin)
    if command == "send":
        result: object = asyncio.run(send(*map(int, numbers)))
    elif command == "receive":
        result = asyncio.run(receive(*map(int, numbers)))
    else:
        count, size, pause = map(int, numbers)
        result = asyncio.run(trip(count, size, pause, given))
    print(json.dumps(result))


if __name__ == "__main__":
    main(sys.argv[1:])
