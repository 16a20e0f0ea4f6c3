"""The clients of the receiver: what it asks of them, and the real ones of a deployment."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import Protocol

from azure.servicebus import ServiceBusMessage
from azure.servicebus.aio import ServiceBusClient

from shared.apps.receiver_queues import ReceiverQueues, Send
from shared.azure.identities import credential
from shared.azure.queues import BusDeniedError, BusUnavailableError, QueueSender, connect
from shared.azure.vault import VaultDeniedError, VaultSecret, VaultUnavailableError
from shared.message.data_keys import DataKeyCache
from shared.message.envelope import DataKey, WrappedKey
from shared.message.payload_key import VaultKey
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
class Clients:
    """What the receiver reaches: the payload key, the partner, its queues."""

    keys: KeyOpener
    partner: PartnerClient
    queues: ReceiverQueues
    outages: Outages


def connect_clients(settings: ReceiverSettings) -> Clients:
    """Make the clients that a deployment's settings name, each under its own identity."""
    network, outages = settings.network, Outages(_log)
    key = VaultKey(settings.payload_key, credential(settings.decrypt_identity), network)
    secret = VaultSecret(
        settings.partner_secret,
        credential(settings.partner_identity),
        settings.partner_secret_seconds,
        network,
    )
    bus = connect(settings.bus_namespace, credential(settings.bus_identity), network)

    async def decrypt(wrapped: WrappedKey) -> bytes:
        with outages.watching(key.url, (VaultUnavailableError, VaultDeniedError)):
            return await key.decrypt(wrapped)

    return Clients(
        DataKeyCache(decrypt, settings.data_key_cache_entries, settings.data_key_cache_seconds),
        Partner.connect(secret, settings.partner_timeout_seconds, network),
        ReceiverQueues(
            _sending(bus, settings.retries_queue, outages),
            _sending(bus, settings.rejected_queue, outages),
            _sending(bus, settings.receipts_queue, outages),
            settings.wait_seconds,
            outages,
        ),
        outages,
    )


def _sending(bus: ServiceBusClient, queue: str, outages: Outages) -> Send:
    sender, failures = QueueSender(bus, queue), (BusUnavailableError, BusDeniedError)

    async def send(message: ServiceBusMessage) -> None:
        with outages.watching(f"queue {queue}", failures):
            await sender.send(message)

    return send
