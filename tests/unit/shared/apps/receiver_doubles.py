"""What stands in for the receiver's clients, and messages as its triggers hand them over."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from azure.functions.servicebus import ServiceBusMessage as Triggered
from azure.servicebus import ServiceBusMessage

from shared.apps.receipt_publisher import ReceiptPublisher
from shared.apps.receiver_clients import ReceiverClients
from shared.apps.receiver_queues import ReceiverQueues
from shared.apps.sending import Send
from shared.azure.queues import BusDeniedError
from shared.message.envelope import DataKey, DecryptionError, WrappedKey, seal
from shared.message.message_id import MessageId
from shared.message.protected_header import MessageHeader
from shared.message.receipt import Receipt
from shared.message.received import ReceivedMessage, UnidentifiedMessage, read_message
from shared.partner.breaker import BreakerPolicy
from shared.partner.delivery import Delivery
from shared.partner.gate import GatePolicy, PartnerGate
from shared.telemetry.outages import Outages
from tests.unit.shared.message.triggered import triggered

NOW = datetime(2026, 11, 26, 12, 0, tzinfo=UTC)
PENDING_SECONDS = 30.0
KEY = DataKey.generate()
WRAPPED = WrappedKey("https://vault.example/keys/payload/version", b"key")
TOKEN = seal(b"payload", MessageHeader("mine", "a/b"), KEY, WRAPPED).decode()


def token_of(message_id: str) -> str:
    """Return a sealed message of an id."""
    return seal(b"payload", MessageHeader(message_id, "a/b"), KEY, WRAPPED).decode()


def message_of(body: bytes | str = TOKEN, message_id: str = "mine", **more: Any) -> Triggered:
    """Return a message of the queue of messages."""
    return triggered(message_id, body, **more)


def received(message_id: str = "mine", **more: Any) -> ReceivedMessage:
    message = read_message(message_of(message_id=message_id, **more))
    assert isinstance(message, ReceivedMessage)
    assert message.id == MessageId.parse(message_id)
    return message


def unidentified(message_id: str = "not ours", **more: Any) -> UnidentifiedMessage:
    message = read_message(message_of(message_id=message_id, **more))
    assert isinstance(message, UnidentifiedMessage)
    return message


@dataclass
class Queues:
    """What was sent, by queue; a queue of `denied` accepts nothing, nor those of `refusals` yet.

    `refusals` are raised one after the other, by queue.
    """

    sent: list[tuple[str, ServiceBusMessage]] = field(default_factory=list)
    denied: set[str] = field(default_factory=set)
    refusals: dict[str, list[Exception]] = field(default_factory=dict)
    hold_seconds: float = 0.01
    now: datetime = NOW
    outages: Outages = field(default_factory=lambda: Outages(logging.getLogger("test")))

    def to(self, queue: str) -> Send:
        async def send(message: ServiceBusMessage) -> None:
            if waiting := self.refusals.get(queue):
                raise waiting.pop(0)
            if queue in self.denied:
                raise BusDeniedError("refused")
            self.sent.append((queue, message))

        return send

    @property
    def of_receiver(self) -> ReceiverQueues:
        return ReceiverQueues(
            self.to("retries"),
            self.to("rejected"),
            self.to("receipts"),
            ReceiptPublisher(self.to("receipts")),
            PENDING_SECONDS,
            self.outages,
            lambda: self.now,
            self.hold_seconds,
        )

    @property
    def order(self) -> list[str]:
        """The queues that were sent to, one by one."""
        return [queue for queue, _ in self.sent]

    def on(self, queue: str) -> list[ServiceBusMessage]:
        return [message for name, message in self.sent if name == queue]

    def bodies(self, queue: str) -> list[bytes]:
        return [b"".join(message.body) for message in self.on(queue)]

    def properties(self, queue: str) -> list[dict[str, Any]]:
        return [
            {str(name): value for name, value in (message.application_properties or {}).items()}
            for message in self.on(queue)
        ]

    def receipts(self) -> list[Receipt]:
        return [Receipt.from_json(body) for body in self.bodies("receipts")]


@dataclass
class Keys:
    """Opens the one wrapped key, or raises `error`."""

    error: Exception | None = None
    opened: int = 0

    async def open(self, wrapped: WrappedKey) -> DataKey:
        self.opened += 1
        if self.error:
            raise self.error
        if wrapped != WRAPPED:
            raise DecryptionError("wrong-key", "it names a key that is not this receiver's")
        return KEY


@dataclass
class PartnerDouble:
    """Accepts what is delivered, or raises `error`."""

    error: Exception | None = None
    accepted: list[Delivery] = field(default_factory=list)
    asked: int = 0

    async def deliver(self, delivery: Delivery) -> None:
        self.asked += 1
        if self.error:
            raise self.error
        self.accepted.append(delivery)


def clients_of(keys: Keys, partner: PartnerDouble, queues: Queues) -> ReceiverClients:
    """Return the clients of a receiver, with the real gate before the partner."""
    policy = GatePolicy(BreakerPolicy(failures=10, longest_interval=0.001))
    gate = PartnerGate(partner, policy, queues.outages)
    return ReceiverClients(keys, gate, queues.of_receiver, queues.outages, no_operator)


async def no_operator() -> None:
    """Leave the gate as it is: no operator has paused the partner."""
