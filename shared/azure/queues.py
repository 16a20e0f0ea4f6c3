"""Sending to queues of Service Bus: what waits during one send goes together in the next."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from functools import partial
from typing import Any, Protocol

from azure.core.credentials_async import AsyncTokenCredential
from azure.core.exceptions import ClientAuthenticationError, HttpResponseError
from azure.servicebus import ServiceBusMessage, ServiceBusMessageBatch, TransportType
from azure.servicebus.aio import ServiceBusClient
from azure.servicebus.exceptions import (
    MessageSizeExceededError,
    MessagingEntityDisabledError,
    ServiceBusAuthenticationError,
    ServiceBusAuthorizationError,
    ServiceBusQuotaExceededError,
    ServiceBusServerBusyError,
)

from shared.azure.network import ConnectionOptions
from shared.azure.request_id import of_answer, of_bus
from shared.concurrency.batches import Batch, Batches
from shared.errors import CallCancelledError, RelayError
from shared.telemetry import recording
from shared.telemetry.metrics import SENDING, SENT

_SEND_SECONDS = 20
_CLOSE_SECONDS = 5
# With the time behind other sends. The next send may still contain it, see `QueueSender.send`.
_WAIT_SECONDS = 30.0
# Of an AMQP message: what its sections take beside the body and the texts, generously.
_SECTIONS_BYTES = 1024
_TEXT_CHARS = 8
_UTF8 = 4  # bytes of a character, at most
_REFUSALS = (
    ServiceBusQuotaExceededError,
    MessagingEntityDisabledError,
)

RESERVED = "relay-reserved"
"""The application property that fills the reserve of a large message; nobody reads it."""


class BusError(RelayError):
    """A message did not get onto its queue."""


class BusUnavailableError(BusError):
    """The bus is away or throttles: the same message may be accepted later."""

    transient = True


class QueueRefusedError(BusUnavailableError):
    """The queue is full or disabled: it accepts no message now."""


class BusThrottledError(QueueRefusedError):
    """The namespace has too much to do: it accepts no message now."""

    is_throttled = True


class BusDeniedError(BusError):
    """The identity is not attached here, or may not send to this queue."""

    transient = True
    is_denial = True


class MessageTooLargeError(BusError):
    """The message is larger than the queue accepts."""


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
        # Explicit: with a custom endpoint the SDK would silently switch to WebSockets.
        "transport_type": TransportType.Amqp,
        "retry_total": 1,
        "retry_backoff_factor": 0.2,
        "retry_backoff_max": 1,
        **authorities,
    }


class QueueLink(Protocol):
    """A link to one queue, as `ServiceBusSender` is."""

    async def create_message_batch(
        self, max_size_in_bytes: int | None = None
    ) -> ServiceBusMessageBatch:
        """Open the link where it is not open yet; return a batch, of the queue's size if None."""

    async def send_messages(self, message: ServiceBusMessage | ServiceBusMessageBatch) -> None:
        """Return when the queue has accepted it."""

    async def close(self) -> None:
        """Close the link."""


class BusConnection(Protocol):
    """A connection to a namespace, as `ServiceBusClient` is."""

    def get_queue_sender(self, queue_name: str) -> QueueLink:
        """Return a new link to a queue; nothing is sent or opened yet."""

    async def close(self) -> None:
        """Close the connection."""


class QueueSender:
    """Sends to one queue, under one identity.

    A link carries one send at a time, so what arrives during one goes together in the next: the
    round trip is shared instead of waited for in turn. A message is accepted only if it would also
    be accepted with `reserve` bytes more.
    """

    def __init__(self, connection: BusConnection, queue: str, reserve: int = 0) -> None:
        self._queue = queue
        self._reserve = reserve
        self._connection = connection
        self._link: QueueLink | None = None
        self._operation: recording.Attributes = {
            "messaging.system": "servicebus",
            "messaging.operation.name": "send",
            "messaging.destination.name": queue,
        }
        # None is nobody's message: it only has the link opened.
        self._sends: Batches[ServiceBusMessage | None, None] = Batches(self._send_next)

    async def open(self) -> None:
        """Return when the link is open, so that a message need not wait for it; raises `BusError`.

        As part of a send like any other, since a link that is being opened carries nothing else.
        """
        await self._run(None)

    async def send(self, message: ServiceBusMessage) -> None:
        """Return when the queue has accepted `message`; raises `BusError` when it has not.

        After `BusUnavailableError` it may have been accepted all the same: send it again under
        the same message id, which the queue accepts once.
        """
        await self._run(message)

    async def close(self) -> None:
        """Close the link and the connection; what is not sent yet gets `BusUnavailableError`."""
        await self._sends.close()
        await self._forget_link()
        await _closed(self._connection)

    async def _run(self, message: ServiceBusMessage | None) -> None:
        try:
            async with asyncio.timeout(_WAIT_SECONDS):
                await self._sends.run(message)
        except TimeoutError:
            why = f"not sent in {_WAIT_SECONDS:.0f} s"
            raise BusUnavailableError(f"send to queue {self._queue}: {why}") from None
        except CallCancelledError:
            raise BusUnavailableError(f"send to queue {self._queue}: cancelled") from None

    async def _send_next(self, batch: Batch[ServiceBusMessage | None, None]) -> Sequence[None]:
        try:
            async with asyncio.timeout(_SEND_SECONDS):
                return [None] * await self._send_batch(batch)
        except Exception as error:  # noqa: BLE001 - whatever it is, the message is not sent
            await self._forget_link()
            raise map_error(self._queue, error) from None
        except BaseException:  # cancelled, perhaps in the middle of a send
            await self._forget_link()
            raise

    async def _send_batch(self, batch: Batch[ServiceBusMessage | None, None]) -> int:
        if self._link is None:
            self._link = self._connection.get_queue_sender(self._queue)
        together = await self._link.create_message_batch()
        size = together.max_size_in_bytes - self._reserve
        # A batch has each message encoded twice, once to measure it: one that is alone, and small
        # by any measure, needs neither.
        if len(batch) == 1 and (alone := batch.take(partial(_is_surely_below, size))):
            if message := alone[0]:
                await self._transfer(self._link, message)
            return 1
        if self._reserve:
            together = await self._link.create_message_batch(max_size_in_bytes=size)
        taken = batch.take(partial(_fits, together))
        if not taken:  # as large as a message may be: a batch around it would not fit
            taken = batch.take_at_most(1)
            for message in filter(None, taken):
                self._fill_reserve(message)
        messages = [message for message in taken if message is not None]
        if len(messages) == 1:
            await self._transfer(self._link, messages[0])
        elif messages:
            await self._transfer(self._link, together, len(messages))
        return len(taken)

    async def _transfer(
        self, link: QueueLink, sent: ServiceBusMessage | ServiceBusMessageBatch, count: int = 1
    ) -> None:
        # Measured here, since what is sent together is one operation.
        with recording.timed(SENDING, self._operation) as measured:
            try:
                await link.send_messages(sent)
            except Exception as error:
                measured["error.type"] = type(map_error(self._queue, error)).__name__
                raise
        recording.count(SENT, count, self._operation)

    def _fill_reserve(self, message: ServiceBusMessage) -> None:
        # A batch is limited to 1 MB whatever the queue takes, and only the bus knows what that is.
        # So it decides: the message is sent with its reserve used up.
        if self._reserve:
            properties = message.application_properties or {}
            message.application_properties = {**properties, RESERVED: "-" * self._reserve}

    async def _forget_link(self) -> None:
        # A link that failed, perhaps in the middle of a send, is never used again.
        link, self._link = self._link, None
        if link:
            await _closed(link)


def _fits(batch: ServiceBusMessageBatch, message: ServiceBusMessage | None) -> bool:
    if message is None:
        return True
    try:
        batch.add_message(message)
    except Exception:  # noqa: BLE001 - too large, or nothing that can be encoded
        # It is sent alone, after the others: what is wrong with it costs none of them.
        return False
    return True


def _is_surely_below(size: int, message: ServiceBusMessage | None) -> bool:
    """Return whether a message is smaller than `size` bytes, however its texts are encoded."""
    if message is None:
        return True
    texts: list[object] = [message.message_id, message.content_type]
    for name, value in (message.application_properties or {}).items():
        texts += [name, value]
    characters = sum(len(str(text)) + _TEXT_CHARS for text in texts)
    return sum(map(len, message.body)) + _UTF8 * characters + _SECTIONS_BYTES < size


async def _closed(one: QueueLink | BusConnection) -> None:
    # Whatever it is: a link or connection that cannot be closed is not used again either.
    with suppress(Exception):
        async with asyncio.timeout(_CLOSE_SECONDS):
            await one.close()


def map_error(queue: str, error: Exception) -> BusError:
    """Say what an error of the SDK means for who sends; its text may be the server's own."""
    doing = f"send to queue {queue}"
    if isinstance(error, MessageSizeExceededError):
        return MessageTooLargeError(f"{doing}: larger than the queue accepts")
    denied = (
        ServiceBusAuthenticationError,
        ServiceBusAuthorizationError,
        ClientAuthenticationError,
    )
    if isinstance(error, denied):
        # Refused by the bus, or by the endpoint of identities before that.
        answer = error.response if isinstance(error, HttpResponseError) else None
        request_id = of_bus(str(error)) or of_answer(answer)
        asked = f", request {request_id}" if request_id else ""
        return BusDeniedError(f"{doing}: refused ({type(error).__name__}){asked}")
    if isinstance(error, ServiceBusServerBusyError):
        return BusThrottledError(f"{doing}: not now ({type(error).__name__})")
    if isinstance(error, _REFUSALS):
        return QueueRefusedError(f"{doing}: not now ({type(error).__name__})")
    return BusUnavailableError(f"{doing}: no answer ({type(error).__name__})")
