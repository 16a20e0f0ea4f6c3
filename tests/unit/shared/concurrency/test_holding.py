"""Work is held while a service is away: a day of it is played in no time."""

from __future__ import annotations

import asyncio
from collections import deque
from dataclasses import dataclass

import pytest

from shared.concurrency.holding import held, pause_after_failure, pausing
from shared.settings.settings import TrackerSettings
from tests.fast_clock import run

DAY = 24 * 3600.0
HOLD = float(TrackerSettings.receipt_wait_seconds)
BATCH = 100


class AwayError(Exception):
    pass


def now() -> float:
    return asyncio.get_running_loop().time()


def test_what_works_is_returned_at_once() -> None:
    async def work() -> str:
        return f"at {now():.0f}"

    assert run(held(work, 60, AwayError)) == "at 0"


def test_it_is_tried_again_after_growing_pauses_until_the_time_is_over() -> None:
    tries: list[float] = []

    async def work() -> None:
        tries.append(now())
        raise AwayError(len(tries))

    async def main() -> float:
        with pytest.raises(AwayError) as caught:
            await held(work, 100, AwayError)
        assert caught.value.args == (len(tries),)
        return now()

    assert run(main()) == pytest.approx(100)
    assert tries == pytest.approx([0, 1, 3, 7, 15, 31, 61, 91])


def test_it_ends_as_soon_as_the_service_is_back() -> None:
    async def work() -> float:
        if now() < 50:
            raise AwayError
        return now()

    assert run(held(work, 100, AwayError)) == pytest.approx(61)


def test_a_service_that_never_answers_is_cut_off() -> None:
    async def main() -> float:
        with pytest.raises(TimeoutError):
            await held(asyncio.Event().wait, 100, AwayError)
        return now()

    assert run(main()) == pytest.approx(100)


def test_any_other_error_is_raised_at_once() -> None:
    async def work() -> None:
        raise ValueError("odd")

    async def main() -> float:
        with pytest.raises(ValueError, match="odd"):
            await held(work, 100, AwayError)
        return now()

    assert run(main()) == 0


def test_pauses_after_a_failure_grow_with_the_deliveries() -> None:
    pauses = [pause_after_failure(n) for n in range(1, 10)]
    assert pauses == [1, 2, 4, 8, 16, 32, 45, 45, 45]
    assert pause_after_failure(2000, longest=20) == 20
    assert pause_after_failure(0) == 1


def test_a_call_that_fails_or_hangs_pauses_before_it_says_so() -> None:
    async def main() -> list[float]:
        times = [now()]
        with pytest.raises(ZeroDivisionError):
            async with pausing(4, 100):
                raise ZeroDivisionError
        times.append(now())
        with pytest.raises(TimeoutError):
            async with pausing(1, 100):
                await asyncio.Event().wait()
        times.append(now())
        async with pausing(9, 100):
            pass
        return [*times, now()]

    assert run(main()) == pytest.approx([0, 8, 109, 109])


@dataclass
class Waiting:
    number: int
    deliveries: int = 0


def test_a_day_without_the_database_costs_no_receipt_and_no_flood() -> None:
    """10,000 receipts wait, one instance takes them in turn, given back ones come first again."""
    queue = deque(Waiting(number) for number in range(10_000))
    recorded: list[Waiting] = []
    tries = 0

    async def write() -> None:
        nonlocal tries
        tries += 1
        if now() < DAY:
            raise AwayError

    async def take() -> None:
        batch = [queue.popleft() for _ in range(min(BATCH, len(queue)))]
        for one in batch:
            one.deliveries += 1
        try:
            await held(write, HOLD, AwayError)
        except AwayError:
            queue.extendleft(reversed(batch))
        else:
            recorded.extend(batch)

    async def main() -> float:
        while queue:
            await take()
        return now()

    assert run(main()) <= DAY + 30 + 1, "recorded as soon as the database is back"
    assert sorted(one.number for one in recorded) == list(range(10_000))
    most = max(one.deliveries for one in recorded)
    assert most <= DAY / HOLD + 1
    assert sum(one.deliveries for one in recorded) <= 10_000 + BATCH * DAY / HOLD
    assert tries <= DAY / 15, "a database that comes back is not besieged"


def test_it_is_tried_once_even_where_the_time_is_over_already() -> None:
    async def work() -> str:
        return "done"

    assert run(held(work, 0, AwayError)) == "done"
