"""A message that the bus itself took off a queue, and why."""

from __future__ import annotations

from dataclasses import dataclass, field

import azure.functions as func

from shared.message.bus_message import ReceivedMessage
from shared.message.rejected import BUS_DETAIL, BUS_REASON
from shared.message.unrecorded import RETURNS, returns_of

_UNSAID = "dead-lettered"


@dataclass(frozen=True)
class DeadLetter:
    """A dead letter, as it was forwarded from the dead letters of the queue `source`.

    `source` is the bus's own word: it writes it on what it forwards from dead letters, and nobody
    may send to this queue. So it tells a receipt from a message that only looks like one.
    """

    source: str | None
    reason: str
    detail: str
    returns: int
    incoming: ReceivedMessage
    body: bytes = field(repr=False)

    @classmethod
    def from_trigger(cls, message: func.ServiceBusMessage) -> DeadLetter:
        """Read one, whatever is in it."""
        properties = message.application_properties or {}
        source = message.dead_letter_source
        reason, detail = properties.get(BUS_REASON), properties.get(BUS_DETAIL)
        told = [str(detail)] if detail else []
        return cls(
            source.lower() if source else None,
            str(reason or _UNSAID),
            "; ".join([*told, f"dead-lettered from {source}"] if source else told),
            returns_of(properties.get(RETURNS)),
            ReceivedMessage.from_trigger(message),
            message.get_body(),
        )
