"""A payload for the partner, and how its delivery can fail."""

from __future__ import annotations

from dataclasses import dataclass, field

from shared.errors import RelayError
from shared.message.protected_header import MessageHeader
from shared.standards.trace_context import TraceContext


@dataclass(frozen=True)
class Delivery:
    """One payload for the partner. `attempts` were made so far."""

    header: MessageHeader
    payload: bytes = field(repr=False)
    trace: TraceContext | None = None
    attempts: int = field(default=0, compare=False)

    def in_trace(self, trace: TraceContext | None) -> Delivery:
        """Return it as a part of a trace, where there is one."""
        # `dataclasses.replace` takes four times as long.
        return Delivery(self.header, self.payload, trace, self.attempts) if trace else self


class DeliveryError(RelayError):
    """The partner did not accept a message; the text says why, and nothing of the message.

    `status` is that of its answer, None without one or where the partner is a queue.
    """

    def __init__(
        self, message: str, *, retry_after: float | None = None, status: int | None = None
    ) -> None:
        super().__init__(message, retry_after=retry_after)
        self.status = status


class PartnerUnavailableError(DeliveryError):
    """It may accept the same message later."""

    transient = True


class PartnerDeniedError(DeliveryError):
    """It does not accept our credentials: they are wrong, or have been rotated."""

    transient = True
    is_denial = True


class MessageDeniedError(DeliveryError):
    """It does not accept our credentials for this message, and does for others."""

    transient = True


class PartnerBlockedError(DeliveryError):
    """It was not asked, so that no attempt was made; the message waits for `retry_after` seconds.

    It is away, an operator has paused it, or it gets as many messages as it bears.
    """

    transient = True


class PartnerRefusedError(DeliveryError):
    """It will never accept this message."""


class PartnerSecretError(RelayError):
    """The partner's secret does not have a form that can be used; the text never repeats it."""

    transient = True
    is_denial = True
