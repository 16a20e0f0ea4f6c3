"""What the samples of the SDKs alone share: a link to a queue, and calls that are shared."""

import asyncio
import os
from collections.abc import Awaitable, Callable
from typing import Any

from azure.identity.aio import ManagedIdentityCredential
from azure.servicebus import TransportType
from azure.servicebus.aio import ServiceBusClient, ServiceBusSender


def queue_sender(identity: str, queue: str) -> ServiceBusSender:
    """Return a link to a queue under an identity; each is the name of the setting that has it."""
    bus = ServiceBusClient(
        os.environ["RELAY_BUS__fullyQualifiedNamespace"],  # noqa: SIM112 - as Functions names it
        ManagedIdentityCredential(client_id=os.environ[identity]),
        transport_type=TransportType.Amqp,
        custom_endpoint_address=os.environ["RELAY_BUS_ENDPOINT"],
        connection_verify=os.environ["SSL_CERT_FILE"],
    )
    return bus.get_queue_sender(os.environ[queue])


class Together:
    """Makes one call at a time, each with all items that have come during the one before."""

    def __init__(self, call: Callable[[list[Any]], Awaitable[None]]) -> None:
        self.call = call
        self.waiting: list[tuple[Any, asyncio.Future[None]]] = []
        self.calling: asyncio.Task[None] | None = None

    async def run(self, item: Any) -> None:
        """Return when a call with the item has returned; raise what it raised."""
        done = asyncio.get_running_loop().create_future()
        self.waiting.append((item, done))
        if self.calling is None:
            self.calling = asyncio.create_task(self.call_all())
        await done

    async def call_all(self) -> None:
        """Call until nothing waits."""
        while self.waiting:
            taken, self.waiting = self.waiting, []
            (outcome,) = await asyncio.gather(
                self.call([item for item, _ in taken]), return_exceptions=True
            )
            for _, done in taken:
                if outcome is None:
                    done.set_result(None)
                else:
                    done.set_exception(outcome)
        self.calling = None
