"""The partner as a Service Bus queue of another namespace."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Protocol
from urllib.parse import urlsplit

from azure.servicebus import ServiceBusClient, ServiceBusMessage

from shared.azure.network import ConnectionOptions
from shared.azure.queue_name import is_queue_name
from shared.azure.queues import (
    BusDeniedError,
    BusUnavailableError,
    MessageTooLargeError,
    QueueSender,
    connect_by_string,
)
from shared.partner.answers import DEFAULT_FINAL, TOO_LARGE, FinalStatuses
from shared.partner.delivery import (
    Delivery,
    PartnerDeniedError,
    PartnerRefusedError,
    PartnerSecretError,
    PartnerUnavailableError,
)
from shared.standards.addresses import is_loopback
from shared.standards.host_name import host_name_problem
from shared.telemetry import recording
from shared.telemetry.recording import Kind

_SIGNATURE = "=SharedAccessSignature sr="


@dataclass(frozen=True)
class PartnerQueue:
    """A queue, and the connection string that may send to it."""

    queue: str
    connection_string: str = field(repr=False)

    @classmethod
    def from_document(cls, document: Mapping[str, object]) -> PartnerQueue:
        """Read `{"connection_string": "Endpoint=sb://...", "queue": "..."}`.

        Raises `PartnerSecretError`.
        """
        queue, connection = document.get("queue"), document.get("connection_string")
        if not isinstance(queue, str) or not is_queue_name(queue):
            raise PartnerSecretError(
                "the `queue` in the partner's secret is not the name of a queue"
            )
        problem = _connection_problem(connection, queue)
        if problem:
            raise PartnerSecretError(f"the `connection_string` in the partner's secret {problem}")
        return cls(queue, str(connection))


class SendsMessages(Protocol):
    """What sends to one queue."""

    async def send(self, message: ServiceBusMessage) -> None:
        """Return when the queue has accepted it. Raises `BusError`."""

    async def close(self) -> None:
        """Close the connection."""


class PartnerQueueClient:
    """Sends to the partner's queue; the connection is kept until its secret changes.

    A message that is too large for the queue is refused for good where 413 is in `final`.
    """

    def __init__(
        self,
        network: ConnectionOptions,
        connect: Callable[[PartnerQueue, ConnectionOptions], SendsMessages] | None = None,
        final: FinalStatuses = DEFAULT_FINAL,
    ) -> None:
        self._final = final
        self._network = network
        self._connect = connect or _connect
        self._kept: tuple[PartnerQueue, SendsMessages] | None = None

    async def send(self, target: PartnerQueue, delivery: Delivery) -> None:
        """Return when the partner's queue has accepted it.

        Raises `DeliveryError`, and `PartnerSecretError` where no client can be made. The message id
        is the message's own, so that the partner's queue can drop repeats.
        """
        about: dict[str, str | int | float] = {
            "messaging.system": "servicebus",
            "messaging.operation.name": "send",
            "messaging.operation.type": "send",
            "messaging.destination.name": target.queue,
            "messaging.message.id": delivery.header.message_id,
        }
        name = f"send {target.queue}"
        with recording.span(name, Kind.PRODUCER, about, parent=delivery.trace) as span:
            await self._send(target, delivery.in_trace(span.context))

    async def _send(self, target: PartnerQueue, delivery: Delivery) -> None:
        try:
            await (await self._connected(target)).send(
                ServiceBusMessage(
                    delivery.payload,
                    message_id=delivery.header.message_id,
                    content_type=delivery.header.content_type,
                    application_properties=(
                        delivery.trace.to_properties() if delivery.trace else None
                    ),
                )
            )
        except BusDeniedError as error:
            raise PartnerDeniedError(str(error), retry_after=error.retry_after) from error
        except MessageTooLargeError as error:
            if TOO_LARGE in self._final:
                raise PartnerRefusedError(str(error)) from error
            raise PartnerUnavailableError(str(error)) from error
        except BusUnavailableError as error:
            raise PartnerUnavailableError(str(error), retry_after=error.retry_after) from error

    async def close(self) -> None:
        """Close the connection."""
        kept, self._kept = self._kept, None
        if kept:
            await kept[1].close()

    async def _connected(self, target: PartnerQueue) -> SendsMessages:
        if self._kept and self._kept[0] == target:
            return self._kept[1]
        try:
            sender = self._connect(target, self._network)
        except Exception:  # noqa: BLE001 - nothing is sent yet: it is what the secret says
            raise PartnerSecretError(
                "the partner's secret is not one that a client can be made of"
            ) from None
        old, self._kept = self._kept, (target, sender)
        if old:
            await old[1].close()
        return sender


def _connection_problem(connection: object, queue: str) -> str | None:
    """Return why no client that is made of a connection string could send to a queue."""
    # As the client reads it: without what is around it.
    text = connection.strip() if isinstance(connection, str) else ""
    # One blank belongs: that of a signature, `SharedAccessSignature=SharedAccessSignature sr=...`.
    if not text.isascii() or not text.isprintable() or " " in text.replace(_SIGNATURE, ""):
        return "has a blank, a control character or a character outside of ASCII in it"
    try:
        client = ServiceBusClient.from_connection_string(text)  # it does not connect yet
        url = urlsplit(f"sb://{client.fully_qualified_namespace}")
        host, port = url.hostname, url.port
    except (ValueError, TypeError, AttributeError):
        return "is not one of Service Bus"
    if url.username is not None:
        return "has a user name in its `Endpoint`: leave it out"
    if not host or port == 0:
        return "has no host name in its `Endpoint`, or a port that is not one"
    if problem := host_name_problem(host):
        return f"has an `Endpoint` that cannot be looked up: its host name {problem}"
    if _switches_tls_off(text) and not is_loopback(host):
        # The client then sends payloads and signature in clear.
        return "has UseDevelopmentEmulator, for an `Endpoint` that is not loopback: leave it out"
    try:
        client.get_queue_sender(queue)
    except ValueError:
        return "has an `EntityPath` that is not the `queue` of the partner's secret"
    return None


def _switches_tls_off(connection: str) -> bool:
    """Return whether any reading of a connection string would be that of the emulator."""
    settings = [setting.partition("=") for setting in connection.split(";")]
    return any(
        name.strip().lower() == "usedevelopmentemulator" and value.strip().lower() != "false"
        for name, _, value in settings
    )


def _connect(target: PartnerQueue, network: ConnectionOptions) -> SendsMessages:
    return QueueSender(connect_by_string(target.connection_string, network), target.queue)
