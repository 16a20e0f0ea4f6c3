"""The clients of the tracker: what it asks of them, and the real ones of a deployment."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from shared.apps.recorder import Recorder
from shared.azure.queues import QueueSender
from shared.ledger.background import BackgroundLedger
from shared.ledger.entry import LedgerEntry, Position, StateCount
from shared.message.state import State
from shared.settings.settings import TrackerSettings
from shared.telemetry.outages import Outages

_log = logging.getLogger(__name__)


class TrackerLedger(Protocol):
    """What the tracker reads of the ledger, as `Ledger` does. All raise `LedgerError`."""

    async def entry(self, message_id: str) -> LedgerEntry | None:
        """Return what is known of a message."""

    async def entries(
        self, state: State | None, after: Position | None, limit: int
    ) -> Sequence[LedgerEntry]:
        """Return at most `limit` entries, newest first, from behind `after` on."""

    async def counts(self) -> Sequence[StateCount]:
        """Count the messages of each state."""


@dataclass(frozen=True)
class TrackerClients:
    """What the tracker reaches: the ledger, to read and to record in."""

    ledger: TrackerLedger
    recorder: Recorder
    outages: Outages


def connect_clients(settings: TrackerSettings) -> TrackerClients:
    """Make the clients that a deployment's settings name, each under its own identity."""
    azure, outages = settings.clients, Outages(_log)
    secret = azure.secret(
        settings.database_secret, settings.database_identity, settings.database_secret_seconds
    )
    ledger = BackgroundLedger(secret, settings.network.ca_bundle)
    bus = azure.bus(settings.bus_identity)
    recorder = Recorder(
        ledger.record,
        QueueSender(bus, settings.rejected_queue).send,
        QueueSender(bus, settings.receipts_queue).send,
        settings.receipt_wait_seconds,
        outages,
        settings.formats_accepted,
    )
    return TrackerClients(ledger, recorder, outages)
