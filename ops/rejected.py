"""A rejected message or receipt as an operator sees it, and how commands name it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from azure.servicebus import ServiceBusMessageState, ServiceBusReceivedMessage
from azure.servicebus.amqp import AmqpMessageBodyType

from shared.message.message_id import MessageId
from shared.message.rejected import (
    ATTEMPTS,
    BUS_DETAIL,
    BUS_REASON,
    DETAIL,
    KIND,
    REASON,
    RECEIPT,
    UNRECORDED,
)
from shared.message.text_properties import text_properties

_ATTEMPTS = re.compile(r"\d{1,4}", re.ASCII)


@dataclass(frozen=True)
class Rejection:
    """Why a message was rejected, and after how many attempts.

    `is_recorded` says whether the ledger heard of it: that something is on the queue under an id
    does not show that it is the message of that id.
    """

    reason: str
    detail: str
    attempts: int
    is_recorded: bool = False

    @classmethod
    def of(cls, properties: Mapping[str, str], *, moved_by_bus: bool) -> Rejection:
        """Read the application properties of a rejected message.

        What the bus itself moved here still has the properties that it was sent with: what those
        say of a rejection is its sender's, who may be anybody with a right to send. The bus's own
        reason is written over whatever the sender gave.
        """
        bus = properties.get(BUS_REASON, ""), properties.get(BUS_DETAIL, "")
        if moved_by_bus:
            return cls(*bus, 0)
        attempts = _ATTEMPTS.fullmatch(properties.get(ATTEMPTS, ""))
        return cls(
            properties.get(REASON) or bus[0],
            properties.get(DETAIL) or bus[1],
            int(attempts[0]) if attempts else 0,
            REASON in properties and UNRECORDED not in properties,
        )


@dataclass(frozen=True)
class Rejected:
    """What is shown of a rejected message: never its payload.

    `id` is the message's own id, None where it is not a message of this relay. `set_aside` are
    messages that an operator has passed over: only their sequence number leads to them. `size` is
    that of the body, in bytes. A receipt goes by the id of the message that it is about.
    `dead_lettered` are those that the queue of rejected messages itself gave up: they are in its
    dead-letter queue, which whoever may receive from the queue may read as well. `is_recorded` are
    those that the ledger knows as rejected.
    """

    sequence_number: int
    id: str | None
    message_id: str
    reason: str
    detail: str
    attempts: int
    rejected_at: datetime
    size: int
    set_aside: bool
    is_receipt: bool = False
    dead_lettered: bool = False
    is_recorded: bool = False

    @classmethod
    def from_received(
        cls, message: ServiceBusReceivedMessage, *, dead_lettered: bool = False
    ) -> Rejected:
        """Read a message, whatever is in it."""
        message_id = str(message.message_id or "")
        own = MessageId.parse(message_id)
        rejection = Rejection.of(
            text_properties(message), moved_by_bus=message.dead_letter_source is not None
        )
        return cls(
            message.sequence_number or 0,
            own.id if own else None,
            message_id,
            rejection.reason,
            rejection.detail,
            rejection.attempts,
            message.enqueued_time_utc or datetime.now(UTC),
            _size(message),
            message.state is ServiceBusMessageState.DEFERRED,
            is_receipt(message),
            dead_lettered,
            rejection.is_recorded,
        )

    @property
    def number(self) -> str:
        """Its sequence number as commands take it: `#7`, or `dead#7` in the dead-letter queue."""
        return f"{'dead' if self.dead_lettered else ''}#{self.sequence_number}"

    @property
    def name(self) -> str:
        """What a command calls it: its id, or else its sequence number."""
        return self.id or self.number


def chosen(messages: Iterable[Rejected], names: Sequence[str]) -> tuple[list[Rejected], list[str]]:
    """Find messages by id or sequence number; also return the names that lead to none."""
    found: list[Rejected] = []
    asked, led = set(names), set[str | None]()
    for message in messages:
        own = {message.id, message.message_id, message.number} - {None, ""}
        if own & asked:
            found.append(message)
            led |= own
    return found, [name for name in dict.fromkeys(names) if name not in led]


def is_receipt(message: ServiceBusReceivedMessage) -> bool:
    """Return whether one of the apps put it here from the queue of receipts.

    Never by what it looks like: whoever may send to `messages` can have anything rejected, and
    must not have it sent to the ledger. What the bus itself forwarded here has a dead-letter
    source, and properties that are its sender's.
    """
    return message.dead_letter_source is None and text_properties(message).get(KIND) == RECEIPT


def _size(message: ServiceBusReceivedMessage) -> int:
    if message.body_type is not AmqpMessageBodyType.DATA:
        return 0
    return sum(len(part) for part in message.body)
