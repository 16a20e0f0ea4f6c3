"""Forwarding to the partner, in the way that the partner's secret describes."""

from __future__ import annotations

import json

from shared.azure.network import ConnectionOptions
from shared.azure.vault import VaultSecret
from shared.partner.delivery import Delivery, PartnerDeniedError, PartnerSecretError
from shared.partner.service_bus import PartnerQueue, PartnerQueueClient
from shared.partner.webhook import Webhook, WebhookClient


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
    """Delivers to the partner of one secret. `timeout` is in seconds, for a whole exchange."""

    def __init__(
        self, secret: VaultSecret, timeout: float, network: ConnectionOptions | None = None
    ) -> None:
        self._secret = secret
        self._webhooks = WebhookClient(timeout, network or ConnectionOptions())
        self._queues = PartnerQueueClient(network or ConnectionOptions())

    async def deliver(self, delivery: Delivery) -> None:
        """Return when the partner has taken it.

        Raises `DeliveryError`, `PartnerSecretError`, and `VaultError` where there is no secret.
        """
        value = await self._secret.value()
        try:
            await self._send(value, delivery)
        except PartnerDeniedError:
            # The partner may have rotated its secret: look once, and try only with another one.
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
            self._secret.forget(value)  # the next message looks whether it has been corrected
            raise
        if isinstance(partner, Webhook):
            await self._webhooks.send(partner, delivery)
        else:
            await self._queues.send(partner, delivery)
