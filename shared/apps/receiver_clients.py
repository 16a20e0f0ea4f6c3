"""The clients of the receiver: what it asks of them, and the real ones of a deployment."""

from __future__ import annotations

import logging
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from typing import Protocol

from shared.apps.catch_up import catching_up
from shared.apps.receipt_publisher import ReceiptPublisher
from shared.apps.receiver_queues import ReceiverQueues
from shared.apps.sending import sending
from shared.azure.scheduled_queue import ScheduledQueue
from shared.azure.vault import VaultDeniedError, VaultUnavailableError
from shared.message.data_keys import DataKeyCache
from shared.message.envelope import DataKey, WrappedKey
from shared.message.payload_key import PayloadKey
from shared.message.protected_header import ALGORITHM
from shared.message.ramp import Ramp
from shared.partner.breaker import BreakerPolicy
from shared.partner.gate import GatePolicy, PartnerGate
from shared.partner.operator_watch import OperatorWatch
from shared.partner.partner import Partner
from shared.settings.settings import ReceiverSettings
from shared.telemetry.outages import Outages

_log = logging.getLogger(__name__)


class KeyOpener(Protocol):
    """What opens wrapped data keys."""

    async def open(self, wrapped: WrappedKey) -> DataKey:
        """Return the data key in `wrapped`. Raises `DecryptionError` and `VaultError`."""


@dataclass(frozen=True)
class ReceiverClients:
    """What the receiver reaches: the payload key, the partner behind its gate, its queues.

    `follow_operator` returns when the gate is as an operator has it, paused or not. Raises
    `PartnerBlockedError` where that is not known.
    """

    keys: KeyOpener
    gate: PartnerGate
    queues: ReceiverQueues
    outages: Outages
    follow_operator: Callable[[], Awaitable[None]]


def connect_clients(settings: ReceiverSettings) -> ReceiverClients:
    """Make the clients that a deployment's settings name, each under its own identity."""
    azure, outages = settings.clients, Outages(_log)
    key = PayloadKey(azure.key(settings.payload_key, settings.decrypt_identity, ALGORITHM))
    secret = azure.secret(
        settings.partner_secret, settings.partner_identity, settings.partner_secret_seconds
    )
    bus = azure.bus(settings.bus_identity)
    to_receipts = sending(bus, settings.receipts_queue, outages)

    async def decrypt(wrapped: WrappedKey) -> bytes:
        with outages.watching(key.url, (VaultUnavailableError, VaultDeniedError)):
            return await key.decrypt(wrapped)

    partner = Partner.connect(
        secret,
        settings.partner_timeout_seconds,
        settings.network,
        settings.partner_final_statuses,
    )
    gate = PartnerGate(partner, gate_policy_of(settings), outages, chance=random.random)
    to_retries = sending(bus, settings.retries_queue, outages)
    ramp = Ramp.up_to(settings.partner_rate or Ramp.limit)
    opened = partial(ScheduledQueue.opened, bus, settings.retries_queue)
    on_back = catching_up(opened, to_retries, lambda: gate.lets_through, ramp).on_back
    gate.on_back = on_back
    state = azure.secret(settings.partner_state, settings.partner_state_identity, seconds=1)
    watch = OperatorWatch(state, gate, outages, on_back)
    return ReceiverClients(
        DataKeyCache(decrypt, settings.data_key_cache_entries, settings.data_key_cache_seconds),
        gate,
        ReceiverQueues(
            to_retries,
            sending(bus, settings.rejected_queue, outages),
            to_receipts,
            ReceiptPublisher(to_receipts),
            settings.wait_seconds,
            outages,
            format_emitted=settings.format_emitted,
        ),
        outages,
        watch.follow,
    )


def gate_policy_of(settings: ReceiverSettings) -> GatePolicy:
    """Return what the settings say of the gate before the partner."""
    return GatePolicy(
        BreakerPolicy(
            settings.partner_breaker_failures,
            settings.partner_probe_seconds,
            settings.wait_seconds,
        ),
        settings.partner_concurrency,
        settings.partner_rate,
        settings.wait_seconds,
    )
