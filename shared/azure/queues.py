"""Sending to queues of Service Bus: what waits for one send goes together in the next."""

from __future__ import annotations

import asyncio
from collections import deque
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from azure.core.credentials_async import AsyncTokenCredential
from azure.core.exceptions import AzureError, ClientAuthenticationError, HttpResponseError
from azure.servicebus import ServiceBusMessage, TransportType
from azure.servicebus.aio import ServiceBusClient, ServiceBusSender
from azure.servicebus.exceptions import (
    MessageSizeExceededError,
    ServiceBusAuthenticationError,
    ServiceBusAuthorizationError,
)

from shared.azure.network import ConnectionOptions
from shared.azure.request_id import of_answer, of_bus
from shared.errors import RelayError

_SEND_SECONDS = 20
_CLOSE_SECONDS = 5
# For what waits behind other sends, too. The next send may still take it, see `QueueSender.send`.
_WAIT_SECONDS = 30.0


class BusError(RelayError):
    """A message did not get onto its queue."""


class BusUnavailableError(BusError):
    """The bus is away or throttles: the same message may be taken later."""

    transient = True


class BusDeniedError(BusError):
    """The identity is not attached here, or may not send to this queue."""

    transient = True
    is_denial = True


class MessageTooLargeError(BusError):
    """The message is larger than the queue takes."""


def connect(
    namespace: str,
    credential: AsyncTokenCredential,
    network: ConnectionOptions,
    *,
    user_agent: str | None = None,
) -> ServiceBusClient:
    """Return a client of a namespace under one identity."""
    options = _options(network)
    if user_agent:
        options["user_agent"] = user_agent
    if network.bus_endpoint:
        options["custom_endpoint_address"] = network.bus_endpoint
    return ServiceBusClient(namespace, credential, **options)


def connect_by_string(connection_string: str, network: ConnectionOptions) -> ServiceBusClient:
    """Return a client of the namespace that a connection string names."""
    return ServiceBusClient.from_connection_string(connection_string, **_options(network))


def _options(network: ConnectionOptions) -> dict[str, Any]:
    authorities = {"connection_verify": str(network.ca_bundle)} if network.ca_bundle else {}
    return {
        # Said outright: an endpoint of one's own would silently switch to WebSockets.
        "transport_type": TransportType.Amqp,
        "retry_total": 1,
        "retry_backoff_factor": 0.2,
        "retry_backoff_max": 1,
        **authorities,
    }


@dataclass
class _Waiting:
    message: ServiceBusMessage
    sent: asyncio.Future[None]


class QueueSender:
    """Sends to one queue, under one identity.

    A link takes one send at a time, so what arrives while one is under way goes together in the
    next: the round trip is shared instead of waited for in turn.
    """

    def __init__(self, client: ServiceBusClient, queue: str) -> None:
        self._queue = queue
        self._client = client
        self._sender: ServiceBusSender | None = None
        self._waiting: deque[_Waiting] = deque()
        self._sending: asyncio.Task[None] | None = None

    async def send(self, message: ServiceBusMessage) -> None:
        """Return when the queue has accepted `message`; raises `BusError` when it has not.

        After `BusUnavailableError` it may have been accepted all the same: send it again under
        the same message id, which the queue takes once.
        """
        waiting = _Waiting(message, asyncio.get_running_loop().create_future())
        self._waiting.append(waiting)
        if self._sending is None or self._sending.done():
            self._sending = asyncio.create_task(self._send_all())
        try:
            async with asyncio.timeout(_WAIT_SECONDS):
                await waiting.sent
        except TimeoutError:
            why = f"not sent in {_WAIT_SECONDS:.0f} s"
            raise BusUnavailableError(f"send to queue {self._queue}: {why}") from None

    async def close(self) -> None:
        """Close the link and the connection."""
        await self._forget_link()
        with suppress(AzureError, OSError, TimeoutError):
            async with asyncio.timeout(_CLOSE_SECONDS):
                await self._client.close()

    async def _send_all(self) -> None:
        while self._waiting:
            together: list[_Waiting] = []
            try:
                async with asyncio.timeout(_SEND_SECONDS):
                    await self._send_next(together)
            except Exception as error:  # noqa: BLE001 - whatever it is, it belongs to who waits
                await self._forget_link()
                _resolve(together or self._take_all(), _map_error(self._queue, error))
            else:
                _resolve(together, None)

    async def _send_next(self, together: list[_Waiting]) -> None:
        if self._sender is None:
            self._sender = self._client.get_queue_sender(self._queue)
        batch = await self._sender.create_message_batch()
        while self._waiting:
            if self._waiting[0].sent.done():  # nobody waits for it any more
                self._waiting.popleft()
                continue
            try:
                batch.add_message(self._waiting[0].message)
            except MessageSizeExceededError:
                break
            together.append(self._waiting.popleft())
        if len(together) > 1:
            await self._sender.send_messages(batch)
            return
        if not together and not self._waiting:
            return
        if not together:  # as large as a message may be: no room for a batch around it
            together.append(self._waiting.popleft())
        await self._sender.send_messages(together[0].message)

    async def _forget_link(self) -> None:
        # A link that failed, perhaps in the middle of a send, is never used again.
        sender, self._sender = self._sender, None
        if sender:
            with suppress(AzureError, OSError, TimeoutError):
                async with asyncio.timeout(_CLOSE_SECONDS):
                    await sender.close()

    def _take_all(self) -> list[_Waiting]:
        taken = list(self._waiting)
        self._waiting.clear()
        return taken


def _resolve(messages: list[_Waiting], error: BusError | None) -> None:
    for waiting in messages:
        if waiting.sent.done():
            continue
        if error:
            waiting.sent.set_exception(error)
        else:
            waiting.sent.set_result(None)


def _map_error(queue: str, error: Exception) -> BusError:
    doing = f"send to queue {queue}"
    if isinstance(error, MessageSizeExceededError):
        return MessageTooLargeError(f"{doing}: larger than the queue takes")
    denied = (
        ServiceBusAuthenticationError,
        ServiceBusAuthorizationError,
        ClientAuthenticationError,
    )
    if isinstance(error, denied):
        # Whoever refused: the bus, or the endpoint of identities before the bus was asked.
        answer = error.response if isinstance(error, HttpResponseError) else None
        request_id = of_bus(str(error)) or of_answer(answer)
        asked = f", request {request_id}" if request_id else ""
        return BusDeniedError(f"{doing}: refused ({type(error).__name__}){asked}")
    return BusUnavailableError(f"{doing}: no answer ({type(error).__name__})")
