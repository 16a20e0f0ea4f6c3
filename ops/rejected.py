"""A rejected message or receipt as an operator sees it, and the same sent on its way again."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from azure.servicebus import (
    ServiceBusMessage,
    ServiceBusMessageState,
    ServiceBusReceivedMessage,
)
from azure.servicebus.amqp import AmqpMessageBodyType

from shared.message.message_id import MessageId, digest_suffix
from shared.message.receipt import Receipt
from shared.message.rejected import ATTEMPTS, BUS_DETAIL, BUS_REASON, DETAIL, KIND, REASON, RECEIPT
from shared.standards.trace_context import HEADER, traceparent

_ATTEMPTS = re.compile(r"\d{1,4}", re.ASCII)
_LONGEST_ID = 128  # of Service Bus


class NotReplayableError(Exception):
    """The message cannot be sent again as it was."""


@dataclass(frozen=True)
class Rejected:
    """What is told of a rejected message: never its payload.

    `id` is the message's own id, None where it is not a message of this relay. `set_aside` are
    messages that an operator has passed over: only their sequence number leads to them. `size` is
    that of the body, in bytes. A receipt goes by the id of the message that it tells of.
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

    @classmethod
    def from_received(cls, message: ServiceBusReceivedMessage) -> Rejected:
        """Read a message, whatever is in it."""
        properties = _properties(message)
        message_id = str(message.message_id or "")
        ours = MessageId.parse(message_id)
        attempts = _ATTEMPTS.fullmatch(properties.get(ATTEMPTS, ""))
        return cls(
            message.sequence_number or 0,
            ours.id if ours else None,
            message_id,
            properties.get(REASON) or properties.get(BUS_REASON, ""),
            properties.get(DETAIL) or properties.get(BUS_DETAIL, ""),
            int(attempts[0]) if attempts else 0,
            message.enqueued_time_utc or datetime.now(UTC),
            _size(message),
            message.state is ServiceBusMessageState.DEFERRED,
            is_receipt(message),
        )

    @property
    def name(self) -> str:
        """What a command calls it: its id, or `#` and its sequence number."""
        return self.id or f"#{self.sequence_number}"


def chosen(
    messages: Iterable[Rejected], names: Sequence[str]
) -> tuple[dict[int, Rejected], list[str]]:
    """Find messages by id or `#<sequence number>`; also return the names that lead to none."""
    found: dict[int, Rejected] = {}
    asked, led = set(names), set[str | None]()
    for message in messages:
        own = {message.id, message.message_id, f"#{message.sequence_number}"} - {None, ""}
        if own & asked:
            found[message.sequence_number] = message
            led |= own
    return found, [name for name in dict.fromkeys(names) if name not in led]


def is_receipt(message: ServiceBusReceivedMessage) -> bool:
    """Return whether an app of ours put it here from the queue of receipts.

    Never by what it looks like: whoever may send to `messages` can have anything rejected, and
    must not have it sent to the ledger. What the bus itself forwarded here has a dead-letter
    source, and properties that are its sender's.
    """
    return message.dead_letter_source is None and _properties(message).get(KIND) == RECEIPT


def replayed_receipt(message: ServiceBusReceivedMessage) -> ServiceBusMessage:
    """Return the receipt for the queue of receipts, as it was. Raises `NotReplayableError`."""
    body = _octets(message)
    try:
        Receipt.from_json(body)
    except ValueError as error:
        raise NotReplayableError(
            f"it was on the queue of receipts and is no receipt: {error}; drop it"
        ) from None
    return ServiceBusMessage(body, content_type="application/json")


def replayed(message: ServiceBusReceivedMessage) -> ServiceBusMessage:
    """Return the message for the queue it came from: sealed as it was, under an id of this replay.

    The id is the same each time, so that of a replay that is cut short and done again the queue
    takes one. Raises `NotReplayableError`.
    """
    trace = traceparent(_properties(message).get(HEADER))
    body = _octets(message)
    return ServiceBusMessage(
        body,
        message_id=replay_id(str(message.message_id or ""), message.sequence_number or 0, body),
        content_type=message.content_type,
        application_properties={HEADER: trace} if trace else None,
    )


def replay_id(message_id: str, sequence_number: int, body: bytes) -> str:
    """Return the id on the bus of a replay: `<id>.r<number of the rejected one>~<mark>`."""
    ours = MessageId.parse(message_id)
    ending = f".r{sequence_number}{digest_suffix(body)}"
    return (ours.id if ours else message_id)[: _LONGEST_ID - len(ending)] + ending


def _octets(message: ServiceBusReceivedMessage) -> bytes:
    if message.body_type is not AmqpMessageBodyType.DATA:
        raise NotReplayableError(
            "its body is not made of bytes: it is no sealed message and no receipt; drop it"
        )
    return b"".join(message.body)


def _properties(message: ServiceBusReceivedMessage) -> Mapping[str, str]:
    """Read the application properties that are texts; the SDK gives them as bytes."""
    given = message.application_properties or {}
    return {_text(name): _text(value) for name, value in given.items() if _is_text(value)}


def _is_text(value: object) -> bool:
    return isinstance(value, str | bytes)


def _text(value: object) -> str:
    return value.decode(errors="replace") if isinstance(value, bytes) else str(value)


def _size(message: ServiceBusReceivedMessage) -> int:
    if message.body_type is not AmqpMessageBodyType.DATA:
        return 0
    return sum(len(part) for part in message.body)
