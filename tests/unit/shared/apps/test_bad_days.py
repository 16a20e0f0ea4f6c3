"""Days of a partner that is away or wrong, in virtual time: what it costs, and who is rejected.

The receiver, its gate and its decisions are the real ones; the queue of retries gives a message
back when it is due, and the partner is a function.
"""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import pytest
from azure.servicebus import ServiceBusMessage

from shared.partner.answers import error_for_status
from shared.partner.delivery import Delivery
from shared.partner.gate import GatePolicy
from tests.unit.shared.apps.days import (
    DAY,
    HOUR,
    START,
    Answer,
    Results,
    properties_of,
    receiver_of,
    steadily,
    until,
    virtual_seconds,
)
from tests.unit.shared.apps.receiver_doubles import message_of, token_of
from tests.unit.shared.apps.virtual_time import run


@dataclass(kw_only=True)
class Days(Results):
    """One instance of the receiver, its queues and its partner."""

    answer: Answer
    posts: Counter[str] = field(default_factory=Counter)
    posted_at: list[float] = field(default_factory=list)

    async def deliver(self, delivery: Delivery) -> None:
        now, message_id = virtual_seconds(), delivery.header.message_id
        self.posts[message_id] += 1
        self.posted_at.append(now)
        await asyncio.sleep(0.05)
        if error := error_for_status(*self.answer(now, message_id)):
            raise error

    def play(self, arrivals: Iterable[tuple[float, str]], **limits: Any) -> None:
        """Deliver messages that come at their times, until all have an outcome."""
        run(self._play(list(arrivals), GatePolicy(**limits)))

    async def _play(self, arrivals: list[tuple[float, str]], policy: GatePolicy) -> None:
        chance = random.Random(7).random  # noqa: S311 - not a secret
        self._calls = asyncio.Semaphore(32)
        self._receiver, _ = receiver_of(self, policy, self._retry, self, chance)
        self._tasks = asyncio.TaskGroup()
        async with self._tasks:
            for at, message_id in arrivals:
                self._come(at, message_of(token_of(message_id), message_id))

    def _come(self, at: float, message: Any) -> None:
        async def handled() -> None:
            await asyncio.sleep(max(0.0, at - virtual_seconds()))
            async with self._calls:
                await self._receiver.handle(message)

        self._tasks.create_task(handled())

    async def _retry(self, message: ServiceBusMessage) -> None:
        self.sent["retries"] += 1
        due = message.scheduled_enqueue_time_utc
        assert due
        body = b"".join(message.body)
        again = message_of(body, str(message.message_id), properties=properties_of(message))
        self._come((due - START).total_seconds(), again)


@pytest.mark.parametrize("status", [404, 410, 503])
def test_hours_of_nonsense_cost_few_posts_and_reject_nothing(status: int) -> None:
    days = Days(answer=until(6 * HOUR, status))
    days.play(steadily(100, HOUR))
    assert not days.rejected
    assert days.delivered == dict(days.posts), "the attempts are those that were made"
    wrong = sum(1 for at in days.posted_at if at < 6 * HOUR)
    assert wrong <= 20 + 6 * HOUR / 300, "as many as open it, and a probe every five minutes"
    assert days.sent["retries"] <= 100 * (6 * HOUR / 1800 + 20)
    soon = sum(1 for at in days.posted_at if at >= 6 * HOUR and at < 7 * HOUR)
    assert soon >= 60, "all but some that were posted more than once and wait by the schedule"


def test_a_wrong_secret_of_three_days_rejects_nothing_and_counts_nothing() -> None:
    days = Days(answer=lambda now, _: (401 if HOUR < now < 3 * DAY else 200, {}))
    days.play(steadily(30, 2 * HOUR))
    assert not days.rejected
    assert set(days.delivered.values()) == {1}
    assert len(days.delivered) == 30
    assert sum(1 for at in days.posted_at if HOUR < at < 3 * DAY) <= 100 + 3 * DAY / 300


def test_one_body_that_is_denied_is_rejected_in_the_end_and_delays_nobody() -> None:
    days = Days(answer=lambda _, message_id: (403 if message_id == "m7" else 200, {}))
    days.play(steadily(800, 5 * DAY))
    (reason,) = days.rejected.values()
    assert set(days.rejected) == {"m7"}
    assert reason["relay-reason"] == "partner-refused"
    assert reason["relay-detail"] == "it answered 403, and accepts other messages"
    assert days.posts.pop("m7") <= 200
    assert set(days.posts.values()) == {1}, "the others went at once"
    assert set(days.delivered.values()) == {1}


def test_one_message_alone_that_is_denied_waits_and_is_tried_ever_more_seldom() -> None:
    days = Days(answer=lambda now, _: (403 if now < 3 * DAY else 200, {}))
    days.play([(0.0, "alone")])
    assert days.delivered == {"alone": 1}
    assert days.posts["alone"] <= 3 * DAY / 600 + 20


def test_a_short_retry_after_for_three_days_rejects_nothing() -> None:
    days = Days(answer=until(3 * DAY, 503, Retry_After="2"))
    days.play([(0.0, "alone")])
    assert days.delivered == dict(days.posts)
    assert days.posts["alone"] <= 90


def test_a_partner_that_hangs_up_for_an_hour_gets_its_backlog_no_faster_than_the_limits() -> None:
    days = Days(answer=until(HOUR, 503))
    days.play(steadily(200, 600.0), rate=0.5, concurrency=2)
    assert len(days.delivered) == 200
    back = sorted(at for at in days.posted_at if at >= HOUR)
    for first, last in zip(back, back[50:], strict=False):
        assert last - first >= 50 / 0.5 - 1e-6
