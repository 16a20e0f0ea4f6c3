"""A message that waits on the queue of retries: what it says of itself, and how it is peeked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from azure.servicebus import (
    ServiceBusMessage,
    ServiceBusMessageState,
    ServiceBusReceivedMessage,
)
from azure.servicebus.amqp import AmqpMessageBodyType

from shared.message.message_id import MessageId
from shared.message.rejected import ATTEMPTS, DETAIL, SCHEDULE_USED, read_count, read_seconds
from shared.message.text_properties import text_properties
from shared.standards.plain_text import writable

WAITS_FOR = "relay-waits-for"
ACCEPTED_AT = "relay-accepted-at"
_LONGEST_DETAIL = 200
_YEARS = range(2000, 2100)


class WaitsFor(StrEnum):
    """What a message on the queue of retries waits for."""

    ATTEMPT = "attempt"
    """The next attempt of the retry schedule."""

    SERVICE = "service"
    """A service, a right, or the partner as a whole: no attempt was counted."""

    RECEIPT = "receipt"
    """Its receipt to be sent: the message itself has its outcome."""


@dataclass(frozen=True)
class Wait:
    """Why a message waits, as the receiver knows it when it sends it to the queue of retries.

    `accepted_at` is when the queue of messages accepted it, in UTC; None where that is not known.
    """

    waits_for: WaitsFor
    detail: str
    accepted_at: datetime | None = None

    def to_properties(self) -> dict[str, str | None]:
        """Return the properties to send it with."""
        at = self.accepted_at
        return {
            WAITS_FOR: self.waits_for.value,
            DETAIL: writable(self.detail)[:_LONGEST_DETAIL],
            ACCEPTED_AT: None if at is None else at.isoformat(timespec="seconds"),
        }


def read_time(value: object) -> datetime | None:
    """Read a property that is a time with its zone; None for one that is missing or not that."""
    text = value.decode(errors="replace") if isinstance(value, bytes) else value
    if not isinstance(text, str) or len(text) > 32:
        return None
    try:
        read = datetime.fromisoformat(text)
    except ValueError:
        return None
    return read.astimezone(UTC) if read.tzinfo and read.year in _YEARS else None


@dataclass(frozen=True)
class WaitingMessage:
    """A message of this relay that is scheduled on the queue of retries.

    `due` is when the bus delivers it, in UTC. `waits_for` is None where it does not say. `size` is
    that of the body, in bytes.
    """

    sequence_number: int
    bus_id: str
    id: MessageId
    due: datetime
    attempts: int
    waits_for: WaitsFor | None
    detail: str
    accepted_at: datetime | None
    content_type: str | None
    properties: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)

    @classmethod
    def from_peeked(cls, message: ServiceBusReceivedMessage) -> WaitingMessage | None:
        """Read a message; None for one that is due already, or not of this relay."""
        bus_id = str(message.message_id or "")
        own = MessageId.parse(bus_id)
        due = message.scheduled_enqueue_time_utc
        is_scheduled = message.state is ServiceBusMessageState.SCHEDULED
        if own is None or due is None or not is_scheduled:
            return None
        if message.body_type is not AmqpMessageBodyType.DATA:
            return None  # the receiver cannot read such a body either
        properties = text_properties(message)
        return cls(
            message.sequence_number or 0,
            bus_id,
            own,
            due.astimezone(UTC),
            read_count(properties.get(ATTEMPTS)),
            _read_waits_for(properties.get(WAITS_FOR)),
            properties.get(DETAIL, ""),
            read_time(properties.get(ACCEPTED_AT)),
            message.content_type,
            properties,
            b"".join(message.body),
        )

    @property
    def size(self) -> int:
        """The size of the body, in bytes."""
        return len(self.body)

    def brought_forward(self, due: datetime) -> ServiceBusMessage:
        """Return its next hop, with the same content, for `due` (UTC) instead.

        The seconds of the retry schedule that are not waited are given back: a partner that comes
        and goes must not use up in an hour what is meant for days.
        """
        properties: dict[str | bytes, Any] = dict(self.properties.items())
        used = read_seconds(self.properties.get(SCHEDULE_USED))
        if self.waits_for is WaitsFor.ATTEMPT and used is not None:
            early = max(0, int((self.due - due).total_seconds()))
            properties[SCHEDULE_USED] = str(max(0, used - early))
        return ServiceBusMessage(
            self.body,
            message_id=self.id.next_bus_id(self.body),
            content_type=self.content_type,
            scheduled_enqueue_time_utc=due,
            application_properties=properties,
        )


def _read_waits_for(text: str | None) -> WaitsFor | None:
    try:
        return WaitsFor(text or "")
    except ValueError:
        return None
