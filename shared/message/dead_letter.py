"""A message that the bus itself took off a queue, and why."""

from __future__ import annotations

import re
from dataclasses import dataclass

import azure.functions as func

from shared.message.formats import KNOWN_FORMATS, Formats
from shared.message.received import ReceivedMessage, UnidentifiedMessage, read_message
from shared.message.rejected import BUS_DETAIL, BUS_REASON, read_count
from shared.message.unrecorded import RETURNS
from shared.standards.plain_text import writable

_NO_REASON = "dead-lettered"
_TOO_OFTEN = "MaxDeliveryCountExceeded"
_DELIVERIES = re.compile(r"after (\d{1,4}) delivery attempts", re.ASCII)


@dataclass(frozen=True)
class DeadLetter:
    """A dead letter, as it was forwarded from the dead-letter queue of the queue `source`.

    The bus itself writes `source` on what it forwards from a dead-letter queue, and nobody may
    send to this queue: it distinguishes a receipt from a message that only looks like one.
    `returns` counts how often it was sent to its queue again.
    """

    source: str | None
    reason: str
    detail: str
    returns: int
    message: ReceivedMessage | UnidentifiedMessage

    @classmethod
    def from_trigger(
        cls, message: func.ServiceBusMessage, accepted: Formats = KNOWN_FORMATS
    ) -> DeadLetter:
        """Read one, whatever is in it."""
        properties = message.application_properties or {}
        source = message.dead_letter_source
        detail = [writable(properties[BUS_DETAIL])] if properties.get(BUS_DETAIL) else []
        return cls(
            source.lower() if source else None,
            writable(properties.get(BUS_REASON) or _NO_REASON),
            "; ".join([*detail, f"dead-lettered from {source}"] if source else detail),
            read_count(properties.get(RETURNS)),
            read_message(message, accepted),
        )

    @property
    def deliveries_before(self) -> int:
        """After how many deliveries the bus gave it up; 0 where it did so for another reason.

        Only the text of the bus says so. Source: Microsoft Learn, "Service Bus dead-letter queues".
        """
        found = _DELIVERIES.search(self.detail) if self.reason == _TOO_OFTEN else None
        return int(found[1]) if found else 0
