"""Delivering to the partner, by the means that the partner's secret names."""

from __future__ import annotations

import json
import logging
from typing import Protocol, TypeVar

from shared.azure.network import ConnectionOptions
from shared.partner.answers import DEFAULT_FINAL, FinalStatuses
from shared.partner.delivery import (
    Delivery,
    DeliveryError,
    PartnerDeniedError,
    PartnerSecretError,
    PartnerUnavailableError,
)
from shared.partner.service_bus import PartnerQueue, PartnerQueueClient
from shared.partner.webhook import Webhook, WebhookClient
from shared.telemetry.logs import location

_log = logging.getLogger(__name__)
T_contra = TypeVar("T_contra", contravariant=True)


class SecretReader(Protocol):
    """What reads the partner's secret."""

    async def value(self) -> str:
        """Return its current value. Raises `VaultError`."""

    def forget(self, value: str) -> None:
        """Read it anew at the next use, if `value` is what would be returned."""


class TargetClient(Protocol[T_contra]):
    """What delivers to one kind of target."""

    async def send(self, target: T_contra, delivery: Delivery) -> None:
        """Return when the target has accepted it. Raises `DeliveryError`."""

    async def close(self) -> None:
        """Close the connections."""


def read_secret(text: str) -> Webhook | PartnerQueue:
    """Read the partner's secret, a JSON document of `kind` webhook or servicebus.

    Raises `PartnerSecretError`, which never repeats what the secret says.
    """
    try:
        document = json.loads(text, object_pairs_hook=_members)
    except (ValueError, RecursionError):
        raise PartnerSecretError("the partner's secret is not a JSON document") from None
    kind = document.get("kind") if isinstance(document, dict) else None
    if kind == "webhook":
        return Webhook.from_document(document)
    if kind == "servicebus":
        return PartnerQueue.from_document(document)
    if kind == "unset":
        raise PartnerSecretError("the partner's secret still has the value that it was made with")
    raise PartnerSecretError('the partner\'s secret is not of `kind` "webhook" or "servicebus"')


def _members(pairs: list[tuple[str, object]]) -> dict[str, object]:
    members = dict(pairs)
    if len(members) != len(pairs):
        # Another reader may take the other value.
        raise PartnerSecretError("the partner's secret has a member twice")
    return members


class Partner:
    """Delivers to the partner that one secret describes."""

    def __init__(
        self,
        secret: SecretReader,
        webhooks: TargetClient[Webhook],
        queues: TargetClient[PartnerQueue],
    ) -> None:
        self._secret = secret
        self._webhooks = webhooks
        self._queues = queues
        # The value that was read last, and what it says: it is the same for each message.
        self._known: tuple[str, Webhook | PartnerQueue] | None = None

    @classmethod
    def connect(
        cls,
        secret: SecretReader,
        timeout: float,
        network: ConnectionOptions,
        final: FinalStatuses = DEFAULT_FINAL,
    ) -> Partner:
        """Return a partner with the real clients. `timeout` is in seconds, for one exchange."""
        return cls(
            secret,
            WebhookClient(timeout, network, final=final),
            PartnerQueueClient(network, final=final),
        )

    async def deliver(self, delivery: Delivery) -> None:
        """Return when the partner has accepted it.

        Raises `DeliveryError`, `PartnerSecretError`, and `VaultError` without a secret.
        """
        value = await self._secret.value()
        try:
            await self._send(value, delivery)
        except PartnerDeniedError:
            # The partner may have rotated its secret: read it once more, and try only a new one.
            self._secret.forget(value)
            renewed = await self._secret.value()
            if renewed == value:
                raise
            await self._send(renewed, delivery)

    async def close(self) -> None:
        """Close the connections."""
        await self._webhooks.close()
        await self._queues.close()

    async def _send(self, value: str, delivery: Delivery) -> None:
        """Deliver as a secret says. Whatever goes wrong is one of the errors of `deliver`."""
        try:
            await self._send_to(self._target(value), delivery)
        except PartnerSecretError:
            self._secret.forget(value)  # the next message reads it anew: it may be corrected
            raise
        except DeliveryError:
            raise
        except Exception as error:  # noqa: BLE001 - see below
            # What a client cannot do with a secret or a message, nobody can list: it is a failed
            # attempt. As a crash of the receiver it would have every message rejected.
            _log.error("unforeseen in delivering: %s", location(error))
            why = f"not delivered, by an unforeseen error ({type(error).__name__})"
            raise PartnerUnavailableError(why) from None

    async def _send_to(self, target: Webhook | PartnerQueue, delivery: Delivery) -> None:
        if isinstance(target, Webhook):
            await self._webhooks.send(target, delivery)
        else:
            await self._queues.send(target, delivery)

    def _target(self, value: str) -> Webhook | PartnerQueue:
        if self._known and self._known[0] == value:
            return self._known[1]
        try:
            self._known = value, read_secret(value)
            return self._known[1]
        except PartnerSecretError:
            raise
        except Exception as error:  # noqa: BLE001 - whatever it is, the secret is not usable
            _log.error("unforeseen in the partner's secret: %s", location(error))
            raise PartnerSecretError("the partner's secret cannot be used") from None
