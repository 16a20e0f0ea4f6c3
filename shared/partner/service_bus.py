"""The partner as a Service Bus queue of another namespace."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from azure.servicebus import ServiceBusMessage, parse_connection_string

from shared.azure.network import ConnectionOptions
from shared.azure.queue_name import is_queue_name
from shared.azure.queues import (
    BusDeniedError,
    BusUnavailableError,
    MessageTooLargeError,
    QueueSender,
    connect_by_string,
)
from shared.partner.delivery import (
    Delivery,
    PartnerDeniedError,
    PartnerRefusedError,
    PartnerSecretError,
    PartnerUnavailableError,
)
from shared.standards.trace_context import HEADER


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
        try:
            parse_connection_string(connection if isinstance(connection, str) else "")
        except (ValueError, TypeError, AttributeError):
            raise PartnerSecretError(
                "the `connection_string` in the partner's secret is not one of Service Bus"
            ) from None
        return cls(queue, str(connection))


class SendsMessages(Protocol):
    """What sends to one queue."""

    async def send(self, message: ServiceBusMessage) -> None:
        """Return when the queue has accepted it. Raises `BusError`."""

    async def close(self) -> None:
        """Close the connection."""


class PartnerQueueClient:
    """Sends to the partner's queue; the connection is kept until its secret changes."""

    def __init__(
        self,
        network: ConnectionOptions,
        connect: Callable[[PartnerQueue, ConnectionOptions], SendsMessages] | None = None,
    ) -> None:
        self._network = network
        self._connect = connect or _connect
        self._kept: tuple[PartnerQueue, SendsMessages] | None = None

    async def send(self, target: PartnerQueue, delivery: Delivery) -> None:
        """Return when the partner's queue has accepted it. Raises `DeliveryError`.

        The message id is the message's own, so that the partner's queue can drop repeats.
        """
        try:
            await (await self._connected(target)).send(
                ServiceBusMessage(
                    delivery.payload,
                    message_id=delivery.header.message_id,
                    content_type=delivery.header.content_type,
                    application_properties={HEADER: delivery.trace} if delivery.trace else None,
                )
            )
        except BusDeniedError as error:
            raise PartnerDeniedError(str(error)) from error
        except MessageTooLargeError as error:
            raise PartnerRefusedError(str(error)) from error
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
        sender = self._connect(target, self._network)
        old, self._kept = self._kept, (target, sender)
        if old:
            await old[1].close()
        return sender


def _connect(target: PartnerQueue, network: ConnectionOptions) -> SendsMessages:
    return QueueSender(connect_by_string(target.connection_string, network), target.queue)
