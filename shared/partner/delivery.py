"""A payload on its way to the partner, and how that can end."""

from __future__ import annotations

from dataclasses import dataclass, field

from shared.errors import RelayError
from shared.message.envelope import MessageHeader


@dataclass(frozen=True)
class Delivery:
    """One payload for the partner. `trace` is a `traceparent`."""

    header: MessageHeader
    payload: bytes = field(repr=False)
    trace: str | None = None


class DeliveryError(RelayError):
    """The partner did not take a message; the text says why, and nothing of the message."""


class PartnerUnavailableError(DeliveryError):
    """It may take the same message later."""

    transient = True


class PartnerDeniedError(DeliveryError):
    """It does not accept who we are: its secret has changed, or ours is wrong."""

    transient = True
    is_denial = True


class PartnerRefusedError(DeliveryError):
    """It will never take this message."""


class PartnerSecretError(RelayError):
    """The partner's secret is not of a form that can be used; the text never repeats it."""

    transient = True
    is_denial = True
