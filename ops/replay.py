"""What a replay does with a rejected message: decided here, carried out by `ops.actions`."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from azure.servicebus import ServiceBusMessage, ServiceBusReceivedMessage
from azure.servicebus.amqp import AmqpMessageBodyType

from ops.rejected import is_receipt
from shared.message.formats import NewerFormatError
from shared.message.message_id import MessageId, digest_suffix
from shared.message.receipt import Receipt
from shared.message.text_properties import text_properties
from shared.standards.trace_context import TraceContext

Destination = Literal["messages", "receipts"]

_LONGEST_ID = 128  # of Service Bus


@dataclass(frozen=True)
class Content:
    """What a replay needs of a rejected message. `body` is None where it is not made of bytes."""

    sequence_number: int
    message_id: str
    body: bytes | None = field(repr=False)
    content_type: str | None = None
    trace: TraceContext | None = None
    is_receipt: bool = False

    @classmethod
    def from_received(cls, message: ServiceBusReceivedMessage) -> Content:
        """Read a message, whatever is in it."""
        is_binary = message.body_type is AmqpMessageBodyType.DATA
        return cls(
            message.sequence_number or 0,
            str(message.message_id or ""),
            b"".join(message.body) if is_binary else None,
            message.content_type,
            TraceContext.from_properties(text_properties(message)),
            is_receipt(message),
        )


@dataclass(frozen=True)
class Resend:
    """A message for the queue that the rejected one came from.

    Without the time to live of the rejected one: what expired once would expire at once again.
    """

    destination: Destination
    body: bytes = field(repr=False)
    message_id: str | None
    content_type: str | None
    trace: TraceContext | None = None

    def message(self) -> ServiceBusMessage:
        """Return it for the SDK."""
        return ServiceBusMessage(
            self.body,
            message_id=self.message_id,
            content_type=self.content_type,
            application_properties=self.trace.to_properties() if self.trace else None,
        )


@dataclass(frozen=True)
class NotReplayable:
    """The message cannot be sent again as it was; it stays where it is."""

    why: str


def decide(content: Content) -> Resend | NotReplayable:
    """Decide what becomes of a rejected message that is to be replayed.

    A message goes to the queue of messages, sealed as it was, under an id of this replay: the same
    each time, so that of a replay that is cut short and done again the queue takes one. A receipt
    goes to the queue of receipts; the ledger takes it any number of times.
    """
    if content.body is None:
        return NotReplayable(
            "its body is not made of bytes: it is neither a sealed message nor a receipt; drop it"
        )
    if content.is_receipt:
        return _receipt(content.body, content.trace)
    return Resend(
        "messages",
        content.body,
        replay_id(content.message_id, content.sequence_number, content.body),
        content.content_type,
        content.trace,
    )


def _receipt(body: bytes, trace: TraceContext | None) -> Resend | NotReplayable:
    try:
        Receipt.from_json(body)
    except NewerFormatError:
        pass  # it is the tracker's to read, which may be newer than this command
    except ValueError as error:
        return NotReplayable(
            f"it was on the queue of receipts and is not a receipt: {error}; drop it"
        )
    return Resend("receipts", body, None, "application/json", trace)


def replay_id(message_id: str, sequence_number: int, body: bytes) -> str:
    """Return the id on the bus of a replay: `<id>.r<number of the rejected one>~<digest>`."""
    own = MessageId.parse(message_id)
    ending = f".r{sequence_number}{digest_suffix(body)}"
    return (own.id if own else message_id)[: _LONGEST_ID - len(ending)] + ending
