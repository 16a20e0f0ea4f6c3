"""The clients of the receiver: what it asks of them, and the real ones of a deployment."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import Protocol

from shared.apps.receiver_queues import ReceiverQueues
from shared.apps.sending import sending
from shared.azure.vault import VaultDeniedError, VaultUnavailableError
from shared.message.data_keys import DataKeyCache
from shared.message.envelope import DataKey, WrappedKey
from shared.message.payload_key import PayloadKey
from shared.message.protected_header import ALGORITHM
from shared.partner.delivery import Delivery
from shared.partner.partner import Partner
from shared.settings.settings import ReceiverSettings
from shared.telemetry.outages import Outages

_log = logging.getLogger(__name__)


class KeyOpener(Protocol):
    """What opens wrapped data keys."""

    async def open(self, wrapped: WrappedKey) -> DataKey:
        """Return the data key in `wrapped`. Raises `DecryptionError` and `VaultError`."""


class PartnerClient(Protocol):
    """What delivers a payload."""

    async def deliver(self, delivery: Delivery) -> None:
        """Return when the partner has accepted it.

        Raises `DeliveryError`, `PartnerSecretError` and `VaultError`.
        """


@dataclass(frozen=True)
class ReceiverClients:
    """What the receiver reaches: the payload key, the partner, its queues."""

    keys: KeyOpener
    partner: PartnerClient
    queues: ReceiverQueues
    outages: Outages


def connect_clients(settings: ReceiverSettings) -> ReceiverClients:
    """Make the clients that a deployment's settings name, each under its own identity."""
    azure, outages = settings.clients, Outages(_log)
    key = PayloadKey(azure.key(settings.payload_key, settings.decrypt_identity, ALGORITHM))
    secret = azure.secret(
        settings.partner_secret, settings.partner_identity, settings.partner_secret_seconds
    )
    bus = azure.bus(settings.bus_identity)

    async def decrypt(wrapped: WrappedKey) -> bytes:
        with outages.watching(key.url, (VaultUnavailableError, VaultDeniedError)):
            return await key.decrypt(wrapped)

    return ReceiverClients(
        DataKeyCache(decrypt, settings.data_key_cache_entries, settings.data_key_cache_seconds),
        Partner.connect(secret, settings.partner_timeout_seconds, settings.network),
        ReceiverQueues(
            sending(bus, settings.retries_queue, outages),
            sending(bus, settings.rejected_queue, outages),
            sending(bus, settings.receipts_queue, outages),
            settings.wait_seconds,
            outages,
        ),
        outages,
    )
