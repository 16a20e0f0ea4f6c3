"""Bringing forward: no message is lost, whoever does it at once and wherever it is cut short."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import pytest
from azure.servicebus import ServiceBusMessage, ServiceBusReceivedMessage
from hypothesis import given
from hypothesis import strategies as st

from shared.apps.bring_forward import Bounds, Forwarded, bring_forward
from shared.apps.forward_plan import ForwardPlan
from shared.azure.queues import BusUnavailableError
from shared.message.message_id import MessageId
from shared.message.ramp import Ramp
from tests.unit.shared.message.peeked import NOW, peeked

WINDOW = timedelta(minutes=10)


class CrashError(Exception):
    pass


@dataclass
class Retries:
    """A queue with duplicate detection, and the receiver's way to empty it.

    `crash_after` is after how many more operations the process that uses it ends.
    """

    scheduled: dict[int, tuple[str, datetime]] = field(default_factory=dict)
    ids: dict[str, datetime] = field(default_factory=dict)
    now: datetime = NOW
    number: int = 0
    page: int = 3
    crash_after: int = 10**6
    operations: int = 0
    refuses: bool = False
    delivered: list[str] = field(default_factory=list)

    def put(self, bus_id: str, due: datetime) -> None:
        self.number += 1
        if self.ids.get(bus_id, NOW - WINDOW) + WINDOW > self.now:
            return  # a duplicate has a number, and is dropped
        self.ids[bus_id] = self.now
        self.scheduled[self.number] = bus_id, due

    async def _operation(self) -> None:
        self.operations += 1
        self.crash_after -= 1
        if self.crash_after < 0:
            raise CrashError
        await asyncio.sleep(0)

    async def peek(self, first: int) -> Sequence[ServiceBusReceivedMessage]:
        await self._operation()
        there = sorted(number for number in self.scheduled if number >= first)[: self.page]
        return [peeked(n, self.scheduled[n][0], due=self.scheduled[n][1]) for n in there]

    async def send(self, message: ServiceBusMessage) -> None:
        await self._operation()
        if self.refuses:
            raise BusUnavailableError("away")
        assert message.scheduled_enqueue_time_utc
        self.put(str(message.message_id), message.scheduled_enqueue_time_utc)

    async def cancel(self, numbers: Sequence[int]) -> int:
        gone = 0
        for number in numbers:
            await self._operation()
            gone += self.scheduled.pop(number, None) is None
        return gone

    def deliver_due(self, *, fails: bool = False) -> None:
        """Deliver what is due; where the partner fails, its next hop waits for an hour."""
        for number in sorted(self.scheduled):
            bus_id, due = self.scheduled[number]
            if due <= self.now:
                found = MessageId.parse(bus_id)
                assert found
                if fails:
                    self.put(found.next_bus_id(b"sealed"), self.now + timedelta(hours=1))
                else:
                    self.delivered.append(found.id)
                del self.scheduled[number]

    def ids_there(self) -> set[str]:
        return {bus_id.partition(".")[0] for bus_id, _ in self.scheduled.values()}


def filled(count: int) -> Retries:
    retries = Retries()
    for n in range(count):
        retries.put(f"id-{n}.1", NOW + timedelta(hours=1))
    return retries


def plan(retries: Retries, rate: float = 100.0) -> ForwardPlan:
    return ForwardPlan(retries.now, Ramp.constant(rate))


async def run(retries: Retries, bounds: Bounds | None = None, rate: float = 100.0) -> Forwarded:
    made = plan(retries, rate)
    return await bring_forward(retries, retries.send, made, bounds, now=lambda: retries.now)


async def test_each_message_is_there_once_and_due_at_the_pace() -> None:
    retries = filled(8)
    assert await run(retries, rate=2.0) == Forwarded(moved=8)
    assert sorted(due for _, due in retries.scheduled.values()) == [
        NOW + timedelta(seconds=n / 2) for n in range(8)
    ]
    assert all(".2~" in bus_id for bus_id, _ in retries.scheduled.values())


async def test_a_second_run_moves_nothing() -> None:
    retries = filled(8)
    await run(retries)
    retries.operations = 0
    assert await run(retries) == Forwarded()
    assert retries.operations == 4  # three pages, and the end


@pytest.mark.parametrize("crash_after", range(1, 40))
async def test_a_crash_anywhere_loses_nothing(crash_after: int) -> None:
    retries = filled(7)
    retries.crash_after = crash_after
    try:
        await run(retries)
    except CrashError:
        assert retries.ids_there() == {f"id-{n}" for n in range(7)}
    retries.crash_after = 10**6
    await run(retries)
    # Within the window of duplicate detection no copy is there twice, either.
    assert sorted(one for one, _ in retries.scheduled.values()) == sorted(
        {one for one, _ in retries.scheduled.values()}
    )
    assert retries.ids_there() == {f"id-{n}" for n in range(7)}


async def test_what_the_queue_refuses_stays_as_it_was() -> None:
    retries = filled(3)
    before = dict(retries.scheduled)
    retries.refuses = True
    with pytest.raises(BusUnavailableError):
        await run(retries)
    assert retries.scheduled == before


async def test_two_at_once_make_one_copy_of_each() -> None:
    retries = filled(20)
    first, second = await asyncio.gather(run(retries), run(retries))
    assert len(retries.scheduled) == 20
    assert first.contended + second.contended == first.moved + second.moved - 20


async def test_one_of_forty_does_it_and_the_others_leave_it_to_that_one() -> None:
    retries = filled(300)
    bounds = Bounds(idle_pages=5, yields=True)
    done = await asyncio.gather(*(run(retries, bounds) for _ in range(40)))
    assert len(retries.ids_there()) == 300
    # Without yielding, forty of them would peek a hundred pages, and copy and cancel 300, each.
    assert sum(one.moved for one in done) < 40 * 30


async def test_a_run_ends_where_there_is_nothing_to_do_for_some_pages() -> None:
    retries = filled(0)
    for n in range(60):
        retries.put(f"soon-{n}.1", NOW + timedelta(seconds=1))
    await run(retries, Bounds(idle_pages=5))
    assert retries.operations == 5


async def test_a_run_ends_when_the_partner_is_away_again() -> None:
    retries = filled(8)
    left = iter([True, False])
    await bring_forward(
        retries, retries.send, plan(retries), goes_on=lambda: next(left), now=lambda: NOW
    )
    assert sum(".2~" in bus_id for bus_id, _ in retries.scheduled.values()) == retries.page


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("run"), st.integers(1, 30)),
        st.tuples(st.just("two"), st.integers(1, 60)),
        st.tuples(st.just("wait"), st.sampled_from([1, 30, 700, 4000])),
        st.tuples(st.just("fail"), st.just(0)),
        st.tuples(st.just("deliver"), st.just(0)),
    ),
    max_size=12,
)


@given(STEPS)
def test_whatever_happens_in_between_each_message_is_there_or_delivered(
    steps: list[tuple[str, int]],
) -> None:
    """Runs that crash, runs at once, messages that become due and fail, ids that are forgotten."""
    retries = filled(4)
    everything = {f"id-{n}" for n in range(4)}

    async def play() -> None:
        for step, amount in steps:
            match step:
                case "wait":
                    retries.now += timedelta(seconds=amount)
                case "deliver" | "fail":
                    retries.deliver_due(fails=step == "fail")
                case _:
                    retries.crash_after = amount
                    runs = [run(retries) for _ in range(1 if step == "run" else 2)]
                    await asyncio.gather(*runs, return_exceptions=True)
            assert retries.ids_there() | set(retries.delivered) == everything

    asyncio.run(play())
