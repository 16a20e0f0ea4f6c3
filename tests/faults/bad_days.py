"""Three days of a bad partner, played in virtual time.

The receiver with its gate and decisions, its bringing forward, and the sender's admission are the
real ones, in several instances; the queues are small, and the partner is a script.
"""

from __future__ import annotations

import asyncio
import os
import random
from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from pathlib import Path

from azure.servicebus import ServiceBusMessage

from shared.apps.admission import Admission, OverloadedError
from shared.apps.catch_up import catching_up
from shared.apps.crash_markers import CrashMarkers
from shared.azure.queues import BusError
from shared.ledger.entry import Backlog
from shared.ledger.errors import LedgerUnavailableError
from shared.message.bus_message import outgoing
from shared.message.envelope import seal
from shared.message.protected_header import MessageHeader
from shared.message.ramp import Ramp
from shared.message.state import State
from shared.partner.gate import GatePolicy
from tests.faults.bad_partner import SLOW_SECONDS, TIMEOUT_SECONDS, BadPartner, periods
from tests.faults.virtual_bus import Trigger, VirtualQueue
from tests.unit.shared.apps.days import (
    DAY,
    HOUR,
    Results,
    properties_of,
    receiver_of,
    virtual_now,
    virtual_seconds,
)
from tests.unit.shared.apps.receiver_doubles import KEY, WRAPPED

MESSAGES = 20_000
INSTANCES = 3
RATE = 2.0  # posts a second of each instance
CALLERS = 4
TAIL = MESSAGES - 150  # from there on one an hour, for what others have to be accepted beside
A_SECOND = TAIL / (3 * DAY)
PAYLOAD = os.urandom(6000)
QUEUE_MB = 2
LIMIT_MB = QUEUE_MB * 80 // 100  # as main.bicep sets RELAY_MAX_WAITING_MB
POLICY = GatePolicy(rate=RATE)
WELL: dict[str, object] = {}
AWAY: dict[str, object] = {"status": None}
DAYS = periods(
    (1, "well", WELL),
    (6, "away", AWAY),
    (3, "well", WELL),
    (1, "slow", {"answers_after": SLOW_SECONDS}),
    (3, "too slow", {"answers_after": TIMEOUT_SECONDS}),
    (3, "well", WELL),
    (4, "503, after 2 s", {"status": 503, "headers": {"Retry-After": "2"}}),
    (3, "well", WELL),
    (4, "404", {"status": 404}),
    (3, "well", WELL),
    (4, "401", {"status": 401}),
    (3, "well", WELL),
    (4, "403", {"status": 403}),
    (3, "well", WELL),
    (3, "302", {"status": 302, "headers": {"Location": "https://elsewhere.example/"}}),
    (3, "well", WELL),
    *((1 / 6, kind, how) for _ in range(6) for kind, how in (("flaps", AWAY), ("well", WELL))),
    (1, "well", WELL),
    (3, "away, no ledger", {**AWAY, "ledger_works": False}),
    (6, "well", WELL),
    (5, "503, after an hour", {"status": 503, "headers": {"Retry-After": "3600"}}),
    (4, "well", WELL),
)
# Of these the partner refuses each alone, while it accepts all others.
JUDGED = {**{f"m{n}": 403 for n in (50, 5_000, 12_345)}, **{f"m{n}": 422 for n in (7, 9_999)}}


def comes_at(number: int) -> float:
    """Return when a caller has a message: nearly all within the three days, evenly."""
    return number / A_SECOND + max(0, number - TAIL) * 3600


@dataclass
class Ledger:
    """What is under way, as the sender and receipts report it; away where a period says so."""

    partner: BadPartner
    under_way: set[str] = field(default_factory=set)

    async def backlog(self, since: datetime, limit: int) -> Backlog:
        if not self.partner.plan[self.partner.number_at(virtual_seconds())].ledger_works:
            raise LedgerUnavailableError("away")
        return Backlog(len(self.under_way), len(self.under_way) * len(PAYLOAD))


@dataclass(kw_only=True)
class Reports(Results):
    """Results that the ledger hears of."""

    ledger: Ledger

    async def record(self, message: ServiceBusMessage) -> None:
        before = len(self.receipts)
        await super().record(message)
        for receipt in self.receipts[before:]:
            if receipt.state in (State.DELIVERED, State.REJECTED):
                self.ledger.under_way.discard(receipt.message_id)


@dataclass
class Play:
    """Callers, queues, instances of the receiver and the partner, and what is counted of them."""

    chance: random.Random
    markers: Path
    partner: BadPartner = field(default_factory=lambda: BadPartner(DAYS, JUDGED, INSTANCES * 3))
    accepted_at: dict[str, float] = field(default_factory=dict)
    parked: int = 0
    uncounted: Counter[str] = field(default_factory=Counter)
    callers_refused: int = 0
    handled: list[set[str]] = field(default_factory=list)  # by each instance

    def __post_init__(self) -> None:
        self.messages = VirtualQueue("messages", QUEUE_MB)
        self.retries = VirtualQueue("retries", QUEUE_MB)
        self.ledger = Ledger(self.partner)
        self.results = Reports(ledger=self.ledger)
        self.clients = [self.partner.client() for _ in range(INSTANCES)]

    def start(self) -> None:
        """Start the instances of the receiver."""
        for number, client in enumerate(self.clients):
            chance = self.chance.random
            markers = CrashMarkers(self.markers / str(number))
            receiver, gate = receiver_of(client, POLICY, self._retry, self.results, chance, markers)
            gate.on_back = catching_up(
                self.retries.opened,
                self.retries.send,
                partial(getattr, gate, "lets_through"),
                Ramp.up_to(RATE),
                virtual_now,
                chance,
            ).on_back
            handled: set[str] = set()
            self.handled.append(handled)
            for queue in (self.messages, self.retries):
                queue.triggers.append(Trigger(receiver.handle, handled))

    async def _retry(self, message: ServiceBusMessage) -> None:
        await self.retries.send(message)
        properties = properties_of(message)
        if properties["relay-waits-for"] == "service":
            message_id = str(message.message_id).partition(".")[0]
            self.parked += 1
            # A denial that may be of all is an answer, and no attempt of this message.
            self.uncounted[message_id] += properties["relay-detail"].startswith("it answered")

    async def call(self, number: int, admission: Admission) -> None:
        """Send every fourth message, each until it is accepted."""
        for n in range(number, MESSAGES, CALLERS):
            await asyncio.sleep(max(0.0, comes_at(n) - virtual_seconds()))
            token = seal(PAYLOAD, MessageHeader(f"m{n}", "a/b"), KEY, WRAPPED)
            message = outgoing(token, f"m{n}", None)
            while wait := await self._sent(message, f"m{n}", admission):
                self.callers_refused += 1
                await asyncio.sleep(wait)

    async def _sent(
        self, message: ServiceBusMessage, message_id: str, admission: Admission
    ) -> float:
        """Return 0 when a message is accepted, or the seconds to wait."""
        try:
            with admission.admitted():
                await self.messages.send(message)
        except OverloadedError as error:
            return error.retry_after or 0.0
        except BusError as error:
            admission.not_sent(error)
            return 5.0
        admission.sent(len(PAYLOAD))
        self.accepted_at[message_id] = virtual_seconds()
        self.ledger.under_way.add(message_id)
        return 0.0

    async def run(self) -> None:
        """Return when all messages have an outcome."""
        self.start()
        admission = Admission(self.ledger.backlog, LIMIT_MB, virtual_seconds)
        async with asyncio.TaskGroup() as callers:
            for number in range(CALLERS):
                callers.create_task(self.call(number, admission))
        while len(self.results.delivered) + len(self.results.rejected) < MESSAGES:
            await asyncio.sleep(HOUR)
            assert virtual_seconds() < DAYS[-1].end + 10 * 24 * HOUR, self.left()

    def left(self) -> str:
        """Say what has no outcome, for whoever looks into a test that fails."""
        done = self.results.delivered.keys() | self.results.rejected.keys()
        left = sorted(self.accepted_at.keys() - done)
        return f"{len(left)} are left, {left[:5]}; {self.messages.counts}, {self.retries.counts}"
