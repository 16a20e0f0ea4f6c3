"""Delivering to the partner, by the means that the partner's secret names."""

from __future__ import annotations

import json
from typing import Protocol, TypeVar

from shared.azure.network import ConnectionOptions
from shared.partner.delivery import Delivery, PartnerDeniedError, PartnerSecretError
from shared.partner.service_bus import PartnerQueue, PartnerQueueClient
from shared.partner.webhook import Webhook, WebhookClient

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

    @classmethod
    def connect(cls, secret: SecretReader, timeout: float, network: ConnectionOptions) -> Partner:
        """Return a partner with the real clients. `timeout` is in seconds, for one exchange."""
        return cls(secret, WebhookClient(timeout, network), PartnerQueueClient(network))

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
        try:
            partner = read_secret(value)
        except PartnerSecretError:
            self._secret.forget(value)  # the next message reads it anew: it may be corrected
            raise
        if isinstance(partner, Webhook):
            await self._webhooks.send(partner, delivery)
        else:
            await self._queues.send(partner, delivery)
