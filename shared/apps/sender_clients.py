"""The clients of the sender: what it asks of them, and the real ones of a deployment."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Protocol

from shared.apps.admission import Admission
from shared.apps.sending import Send, watched
from shared.azure.queues import QueueSender
from shared.azure.vault import VaultDeniedError, VaultError, VaultUnavailableError
from shared.ledger.background import BackgroundLedger
from shared.ledger.entry import LedgerEntry, NewMessage
from shared.ledger.errors import LedgerUnavailableError
from shared.message.bus_message import LATER_HOP_BYTES
from shared.message.data_keys import DataKeyProvider, Limits
from shared.message.envelope import DataKey, WrappedKey
from shared.message.message_id import bus_id_key
from shared.message.payload_key import PayloadKey
from shared.message.protected_header import ALGORITHM
from shared.settings.settings import SenderSettings
from shared.telemetry.outages import Outages

_log = logging.getLogger(__name__)


class DataKeys(Protocol):
    """What gives data keys to seal with, as `DataKeyProvider` does."""

    async def acquire(self, size: int) -> tuple[DataKey, WrappedKey]:
        """Return a key to seal one message of `size` bytes. Raises `VaultError`."""


class SenderLedger(Protocol):
    """What the sender writes to the ledger, as `Ledger` does. Both raise `LedgerError`."""

    async def accept(self, message: NewMessage) -> LedgerEntry:
        """Write a new message; return the entry of its id, of this message or an earlier one."""

    async def queued(self, message_id: str, key_version: str, at: datetime) -> None:
        """Write that a message, sealed with a version of the key, is on its queue."""


@dataclass(frozen=True)
class SenderClients:
    """What the sender reaches: the payload key, the queue of messages, the ledger.

    `bus_id_key` gives the key of `initial_bus_id`, of the database's secret as it is now: after a
    rotation, requests that are sent again have other ids on the bus, and only the ledger knows
    them. It raises `LedgerUnavailableError`. `prepare` makes the first data key and opens the link
    to the queue; it never raises, since whoever needs what is missing then tries for it again.
    `admission` says whether there is room for another message.
    """

    keys: DataKeys
    send: Send
    ledger: SenderLedger
    outages: Outages
    bus_id_key: Callable[[], Awaitable[bytes]]
    prepare: Callable[[], Awaitable[None]]
    admission: Admission


def connect_clients(settings: SenderSettings) -> SenderClients:
    """Make the clients that a deployment's settings name, each under its own identity."""
    azure, outages = settings.clients, Outages(_log)
    key = PayloadKey(azure.key(settings.payload_key, settings.encrypt_identity, ALGORITHM))
    secret = azure.secret(
        settings.database_secret, settings.database_identity, settings.database_secret_seconds
    )

    async def encrypt(plaintext: bytes) -> WrappedKey:
        with outages.watching(key.url, (VaultUnavailableError, VaultDeniedError)):
            return await key.encrypt(plaintext)

    # One, so that no secret is kept that is not in use any more.
    derived = lru_cache(maxsize=1)(bus_id_key)

    async def of_bus_ids() -> bytes:
        try:
            return derived(await secret.value())
        except VaultError as error:
            why = f"no secret of the database: {error}"
            raise LedgerUnavailableError(why, retry_after=error.retry_after) from None

    ledger = BackgroundLedger(secret, settings.network.ca_bundle)
    limits = Limits(settings.data_key_messages, settings.data_key_seconds, settings.data_key_bytes)
    keys = DataKeyProvider(encrypt, limits)
    queue = QueueSender(azure.bus(settings.bus_identity), settings.messages_queue, LATER_HOP_BYTES)

    async def prepare() -> None:
        await asyncio.gather(keys.prepare(), queue.open(), return_exceptions=True)

    return SenderClients(
        keys,
        watched(queue, settings.messages_queue, outages),
        ledger,
        outages,
        of_bus_ids,
        prepare,
        Admission(ledger.backlog, settings.max_waiting_mb),
    )
