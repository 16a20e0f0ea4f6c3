"""A partner with bad days, in virtual time: how it fails when, and what it may cost at most."""

from __future__ import annotations

import asyncio
import math
from bisect import bisect_right
from collections import Counter, deque
from collections.abc import Mapping
from dataclasses import dataclass, field

from shared.partner.answers import error_for_status
from shared.partner.breaker import FIRST_INTERVAL
from shared.partner.delivery import Delivery, PartnerUnavailableError
from shared.partner.gate import GatePolicy
from shared.settings.settings import ReceiverSettings
from tests.unit.shared.apps.days import HOUR, WAIT_SECONDS, virtual_seconds

ANSWER_SECONDS = 0.05
TIMEOUT_SECONDS = float(ReceiverSettings.partner_timeout_seconds)
SLOW_SECONDS = 12.0


@dataclass(frozen=True)
class Period:
    """Some time of one kind of trouble. Times in seconds.

    Without a status it is away; with `answers_after`, it answers as late. 200 is no trouble.
    `ledger_works` is false where the sender cannot count what is under way.
    """

    kind: str
    begin: float
    end: float
    status: int | None = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    answers_after: float = ANSWER_SECONDS
    ledger_works: bool = True

    @property
    def accepts(self) -> bool:
        return self.status == 200 and self.answers_after < TIMEOUT_SECONDS

    def most_failures(self, policy: GatePolicy, instances: int, arrivals: float) -> int:
        """Return how many posts may fail in it, by the settings; `arrivals` come a second.

        In each instance: those of as many messages as open the circuit breaker, each as often as
        it may be tried until so many have come; as many as were under way then; and the probes.
        """
        opens_after = instances * policy.breaker.failures / arrivals
        scheduled, at = 0, 0.0
        for delay in ReceiverSettings.retry_schedule.delays:
            at += delay
            scheduled += at <= opens_after
        held = math.ceil(opens_after / WAIT_SECONDS) if self.status in (401, 403) else 0
        opening = policy.breaker.failures * (1 + max(scheduled, held))
        return instances * (opening + policy.concurrency + self._probes(policy))

    def _probes(self, policy: GatePolicy) -> int:
        probes, at, interval = 0, self.begin, FIRST_INTERVAL
        while at < self.end:
            probes += 1
            at += interval
            interval = min(2 * interval, policy.breaker.longest_interval)
        return probes


def periods(*plan: tuple[float, str, dict[str, object]]) -> list[Period]:
    """Return periods one after the other, of so many hours each."""
    made, begin = [], 0.0
    for hours, kind, how in plan:
        made.append(Period(kind, begin, begin + hours * HOUR, **how))  # type: ignore[arg-type]
        begin = made[-1].end
    return made


@dataclass
class BadPartner:
    """Answers as the period says, and counts what is posted.

    `judged` are the messages that it alone answers otherwise, with their status. `capacity` is how
    many posts a second it bears: above, it answers 503, and counts that.
    """

    plan: list[Period]
    judged: Mapping[str, int]
    capacity: int
    posts: Counter[str] = field(default_factory=Counter)
    failed: Counter[int] = field(default_factory=Counter)
    posted: Counter[int] = field(default_factory=Counter)
    accepted_at: dict[str, float] = field(default_factory=dict)
    repeats: int = 0
    overloads: int = 0
    _recent: deque[float] = field(default_factory=deque)

    def number_at(self, now: float) -> int:
        """Return the number of the period at a time; after the last one, that of the last."""
        return bisect_right(self.plan, now, key=lambda period: period.begin) - 1

    def client(self) -> PartnerClient:
        """Return what one instance posts by."""
        return PartnerClient(self)

    async def answer(self, message_id: str) -> None:
        """Return when it has accepted a message. Raises `DeliveryError`."""
        number = self.number_at(virtual_seconds())
        period = self.plan[number]
        self.posts[message_id] += 1
        status = self.judged.get(message_id)
        if status is None or not period.accepts:
            self.posted[number] += 1
            self.failed[number] += not period.accepts
        if self._is_overloaded():
            self.overloads += 1
            raise PartnerUnavailableError("it answered 503", status=503)
        if period.status is None:
            await asyncio.sleep(ANSWER_SECONDS)
            raise PartnerUnavailableError("no connection")
        await asyncio.sleep(min(period.answers_after, TIMEOUT_SECONDS))
        if period.answers_after >= TIMEOUT_SECONDS:
            raise PartnerUnavailableError("no answer in time")
        own = status if status and period.accepts else period.status
        if error := error_for_status(own, period.headers):
            raise error
        self.repeats += message_id in self.accepted_at
        self.accepted_at[message_id] = virtual_seconds()

    def _is_overloaded(self) -> bool:
        now = virtual_seconds()
        self._recent.append(now)
        while self._recent[0] <= now - 1:
            self._recent.popleft()
        return len(self._recent) > self.capacity


@dataclass
class PartnerClient:
    """Posts of one instance, and their times."""

    partner: BadPartner
    posted_at: list[float] = field(default_factory=list)

    async def deliver(self, delivery: Delivery) -> None:
        self.posted_at.append(virtual_seconds())
        await self.partner.answer(delivery.header.message_id)
