"""A sealed message as a Service Bus message: out of the sender, into the receiver, and onwards."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import azure.functions as func
from azure.servicebus import ServiceBusMessage

from shared.envelope import MEDIA_TYPE, SealedMessage, UnopenableError
from shared.trace_context import HEADER, traceparent

ATTEMPTS = "relay-attempts"
REASON = "relay-reason"
DETAIL = "relay-detail"
REJECTED_AT = "relay-rejected-at"

_MESSAGE_ID = re.compile(
    r"(?P<id>[A-Za-z0-9_-]{1,100})(?P<replay>\.r\d{1,18})?(?:\.(?P<way>\d{1,9}))?", re.ASCII
)
_ATTEMPTS = re.compile(r"\d{1,4}", re.ASCII)
_LONGEST_DETAIL = 200


@dataclass(frozen=True)
class MessageId:
    """The id of a message on the bus: `<id>`, and `<id>[.r<replay>].<way>` after its first way.

    The queue of messages takes each id once. So every way has its own, and always the same: a
    crash between two steps repeats an id, and the repeat is dropped.
    """

    id: str
    replay: str = ""
    way: int = 0

    @classmethod
    def parse(cls, text: str | None) -> MessageId | None:
        """Read the id of a Service Bus message; None if it is none of ours."""
        found = _MESSAGE_ID.fullmatch(text or "")
        if not found:
            return None
        return cls(found["id"], found["replay"] or "", int(found["way"] or 0))

    def next_way(self) -> str:
        """Return the id for the next way through the queue."""
        return f"{self.id}{self.replay}.{self.way + 1}"


def outgoing(token: str, message_id: str, trace: str | None) -> ServiceBusMessage:
    """Return the Service Bus message for a sealed message. `trace` is a `traceparent`."""
    return _message(token, message_id, {HEADER: trace})


@dataclass(frozen=True)
class Incoming:
    """A message as the trigger hands it over; `attempts` of the retry schedule are used up."""

    message_id: str
    attempts: int
    trace: str | None
    _body: bytes = field(repr=False)

    @classmethod
    def from_trigger(cls, message: func.ServiceBusMessage) -> Incoming:
        """Read a message, whatever is in it."""
        properties: dict[str, Any] = message.application_properties or {}
        attempts = _ATTEMPTS.fullmatch(str(properties.get(ATTEMPTS)))
        return cls(
            message.message_id or "",
            int(attempts[0]) if attempts else 0,
            traceparent(properties.get(HEADER)),
            message.get_body(),
        )

    def sealed(self) -> SealedMessage:
        """Return the sealed message in it. Raises `UnopenableError`."""
        try:
            token = self._body.decode("ascii")
        except UnicodeDecodeError:
            raise UnopenableError("malformed", "the body is not text") from None
        sealed = SealedMessage.from_token(token)
        found = MessageId.parse(self.message_id)
        # A seal belongs to one message: put under another id, it would slip past the duplicate
        # detection and be told to the ledger as what it is not.
        if not found or found.id != sealed.context.message_id:
            raise UnopenableError("foreign", "it is sealed for another message id")
        return sealed

    def later(self, seconds: float, attempts: int) -> ServiceBusMessage:
        """Return the same message for the queue of retries, due in `seconds`.

        Raises `ValueError` for one that is not under an id of ours: it can only be rejected.
        """
        found = MessageId.parse(self.message_id)
        if not found:
            raise ValueError("the message id is none of ours")
        properties = {HEADER: self.trace, ATTEMPTS: str(attempts)}
        message = _message(self._body, found.next_way(), properties)
        message.scheduled_enqueue_time_utc = datetime.now(UTC) + timedelta(seconds=seconds)
        return message

    def rejected(self, reason: str, detail: str, attempts: int) -> ServiceBusMessage:
        """Return the same message, as sealed as it was, for the queue of rejected ones."""
        return _message(
            self._body,
            self.message_id or None,
            {
                HEADER: self.trace,
                ATTEMPTS: str(attempts),
                REASON: reason,
                DETAIL: detail[:_LONGEST_DETAIL],
                REJECTED_AT: datetime.now(UTC).isoformat(timespec="seconds"),
            },
        )


def _message(
    body: str | bytes, message_id: str | None, properties: dict[str, str | None]
) -> ServiceBusMessage:
    return ServiceBusMessage(
        body,
        message_id=message_id,
        content_type=MEDIA_TYPE,
        application_properties={name: text for name, text in properties.items() if text} or None,
    )
