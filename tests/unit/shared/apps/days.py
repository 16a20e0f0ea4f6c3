"""What plays days of a partner in virtual time: the real receiver behind its real gate.

What it sends to is given, and the partner is a function of the time and the message.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from azure.servicebus import ServiceBusMessage

from shared.apps.crash_markers import CrashMarkers
from shared.apps.outcomes import Policy
from shared.apps.receipt_publisher import ReceiptPublisher
from shared.apps.receiver import Receiver
from shared.apps.receiver_clients import ReceiverClients
from shared.apps.receiver_queues import ReceiverQueues
from shared.apps.sending import Send
from shared.message.receipt import Receipt
from shared.message.state import State
from shared.partner.gate import DeliveringClient, GatePolicy, PartnerGate
from shared.settings.settings import ReceiverSettings
from shared.telemetry.outages import Outages
from tests.unit.shared.apps.receiver_doubles import Keys, no_operator

START = datetime(2026, 11, 26, 12, 0, tzinfo=UTC)
HOUR = 3600.0
DAY = 24 * HOUR
WAIT_SECONDS = float(ReceiverSettings.wait_seconds)
Answer = Callable[[float, str], tuple[int, dict[str, str]]]
"""What the partner answers at a time to a message: a status and headers."""


def virtual_seconds() -> float:
    """Return the seconds since the loop began."""
    return asyncio.get_running_loop().time()


def virtual_now() -> datetime:
    """Return the time of a clock on the wall."""
    return START + timedelta(seconds=virtual_seconds())


def until(end: float, status: int, **headers: str) -> Answer:
    """Answer `status` until a time, and 200 from then on."""
    given = {name.replace("_", "-"): text for name, text in headers.items()}
    return lambda now, _: (status, given) if now < end else (200, {})


def steadily(count: int, seconds: float) -> list[tuple[float, str]]:
    """Return so many messages, evenly over so many seconds."""
    return [(n * seconds / count, f"m{n}") for n in range(count)]


@dataclass
class Results:
    """What the receiver reports of messages: its receipts, and what it sets aside."""

    receipts: list[Receipt] = field(default_factory=list)
    rejected: dict[str, dict[str, str]] = field(default_factory=dict)
    sent: Counter[str] = field(default_factory=Counter)

    async def reject(self, message: ServiceBusMessage) -> None:
        self.rejected[str(message.message_id).partition(".")[0]] = properties_of(message)

    async def record(self, message: ServiceBusMessage) -> None:
        self.sent["receipts"] += 1
        lines = b"".join(message.body).splitlines()
        self.receipts += [Receipt.from_json(line) for line in lines]

    @property
    def delivered(self) -> dict[str, int]:
        """The attempts of each message that was delivered, as its receipt says."""
        return {r.message_id: r.attempts for r in self.receipts if r.state is State.DELIVERED}


def properties_of(message: ServiceBusMessage) -> dict[str, str]:
    """Return the application properties of a message that the receiver sends: all are texts."""
    return {str(name): str(text) for name, text in (message.application_properties or {}).items()}


def receiver_of(
    partner: DeliveringClient,
    policy: GatePolicy,
    to_retries: Send,
    results: Results,
    chance: Callable[[], float],
    markers: CrashMarkers | None = None,
) -> tuple[Receiver, PartnerGate]:
    """Return one instance of the receiver in virtual time, with the default settings."""
    outages = Outages(logging.getLogger("days"), virtual_seconds)
    gate = PartnerGate(partner, policy, outages, virtual_seconds, chance)
    queues = ReceiverQueues(
        to_retries,
        results.reject,
        results.record,
        ReceiptPublisher(results.record),
        WAIT_SECONDS,
        outages,
        virtual_now,
    )
    clients = ReceiverClients(Keys(), gate, queues, outages, no_operator)
    defaults = ReceiverSettings
    retries = Policy(defaults.retry_schedule, WAIT_SECONDS, defaults.max_deliveries)
    return Receiver(clients, retries, chance, markers=markers), gate
