"""A message as a trigger hands it to a function: read once, whatever is in it."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from hashlib import sha256
from typing import Any

import azure.functions as func

from shared.message.envelope import DecryptionError, SealedMessage
from shared.message.formats import KNOWN_FORMATS, Formats, NewerFormatError
from shared.message.message_id import MessageId
from shared.message.pending_receipt import NewerPendingReceipt, PendingReceipt, pending_receipt
from shared.message.rejected import ATTEMPTS, SCHEDULE_USED, read_count, read_seconds
from shared.message.waiting import ACCEPTED_AT, read_time
from shared.standards.plain_text import encodable
from shared.standards.trace_context import TraceContext

_LONGEST_BUS_ID = 128  # of Service Bus


@dataclass(frozen=True, kw_only=True)
class BusMessage:
    """What every message has, also one that this relay did not send.

    `bus_id` is its id on the bus, which may be anything. `attempts` were made at the partner so
    far; `schedule_used` are the seconds of the retry schedule that they used up, None where the
    message does not say. `deliveries` counts how often its queue has delivered it, this delivery
    included. `accepted_at` is when the queue of messages accepted it, as far as that is known.
    """

    bus_id: str
    attempts: int
    deliveries: int
    trace: TraceContext | None
    body: bytes = field(repr=False)
    schedule_used: int | None = None
    accepted_at: datetime | None = None

    @cached_property
    def digest(self) -> bytes:
        """SHA-256 of the body: whoever may send can send anything under an id that was used."""
        return sha256(self.body).digest()


@dataclass(frozen=True, kw_only=True)
class UnidentifiedMessage(BusMessage):
    """A message under an id that is not one of this relay's: it can only be rejected."""

    @property
    def fault(self) -> DecryptionError:
        """Why it can never be opened."""
        try:
            SealedMessage.from_token(self.body)
        except DecryptionError as error:
            return error
        except NewerFormatError:
            pass  # every format has an id of the relay
        return _other_id()


@dataclass(frozen=True, kw_only=True)
class ReceivedMessage(BusMessage):
    """A message under an id of this relay.

    `pending` is set where all that is left to do is to send its receipt, if it is to be believed.
    """

    id: MessageId
    pending: PendingReceipt | NewerPendingReceipt | None

    def sealed(self, accepted: Formats = KNOWN_FORMATS) -> SealedMessage:
        """Return the sealed message in it, not yet opened.

        Raises `DecryptionError`, and `NewerFormatError` where it has a format above those accepted.
        """
        sealed = SealedMessage.from_token(self.body, accepted)
        # A sealed message belongs to one id: under another one it would pass the duplicate
        # detection, and the ledger would record it as what it is not.
        if sealed.message_id != self.id.id:
            raise _other_id()
        return sealed


def read_message(
    message: func.ServiceBusMessage, accepted: Formats = KNOWN_FORMATS
) -> ReceivedMessage | UnidentifiedMessage:
    """Read what a trigger hands over. A pending receipt above `accepted` is left unread."""
    properties: dict[str, Any] = message.application_properties or {}
    # As text that can be sent again: it goes along to the queue of rejected messages.
    bus_id = encodable(message.message_id or "")[:_LONGEST_BUS_ID]
    read: dict[str, Any] = {
        "bus_id": bus_id,
        "attempts": read_count(properties.get(ATTEMPTS)),
        "deliveries": message.delivery_count or 1,
        "trace": TraceContext.from_properties(properties),
        "body": message.get_body(),
        "schedule_used": read_seconds(properties.get(SCHEDULE_USED)),
        "accepted_at": read_time(properties.get(ACCEPTED_AT)) or _utc(message.enqueued_time_utc),
    }
    message_id = MessageId.parse(bus_id)
    if message_id is None:
        return UnidentifiedMessage(**read)
    pending = pending_receipt(properties, message_id, accepted)
    return ReceivedMessage(**read, id=message_id, pending=pending)


def _utc(at: datetime | None) -> datetime | None:
    # The worker's library gives a time without a zone, which is in UTC.
    return at.replace(tzinfo=UTC) if at and at.tzinfo is None else at


def _other_id() -> DecryptionError:
    return DecryptionError("tampered", "it is sealed for another message id")
