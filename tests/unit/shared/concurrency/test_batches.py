from __future__ import annotations

import asyncio
from collections.abc import Sequence

from shared.concurrency.batches import Batches


class Calls:
    def __init__(self) -> None:
        self.made: list[Sequence[int]] = []
        self.gate = asyncio.Event()
        self.error: Exception | None = None

    async def __call__(self, items: Sequence[int]) -> Sequence[int]:
        self.made.append(items)
        await self.gate.wait()
        if self.error:
            raise self.error
        return [item * 10 for item in items]


async def test_what_waits_goes_together_and_each_gets_its_own_outcome() -> None:
    calls = Calls()
    batches = Batches(calls, 4)
    running = [asyncio.create_task(batches.run(0))]
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    running += [asyncio.create_task(batches.run(number)) for number in range(1, 7)]
    await asyncio.sleep(0)
    calls.gate.set()
    assert await asyncio.gather(*running) == [0, 10, 20, 30, 40, 50, 60]
    assert calls.made == [[0], [1, 2, 3, 4], [5, 6]]
    assert await batches.run(7) == 70


async def test_an_error_is_of_those_who_were_in_the_call() -> None:
    calls = Calls()
    calls.error = OSError("away")
    calls.gate.set()
    batches = Batches(calls, 10)
    outcomes = await asyncio.gather(batches.run(1), batches.run(2), return_exceptions=True)
    assert [str(outcome) for outcome in outcomes] == ["away", "away"]
    calls.error = None
    assert await batches.run(3) == 30


async def test_one_who_goes_away_takes_nothing_with_it() -> None:
    calls = Calls()
    batches = Batches(calls, 10)
    running = [asyncio.create_task(batches.run(number)) for number in range(3)]
    await asyncio.sleep(0)
    running[1].cancel()
    calls.gate.set()
    outcomes = await asyncio.gather(*running, return_exceptions=True)
    assert (outcomes[0], outcomes[2]) == (0, 20)
    assert isinstance(outcomes[1], asyncio.CancelledError)
    assert await batches.run(3) == 30


async def test_what_is_hopeless_ends_the_waiting_of_all() -> None:
    calls = Calls()
    calls.error = ConnectionError("away")
    batches = Batches(calls, 2, OSError)
    running = [asyncio.create_task(batches.run(number)) for number in range(7)]
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    calls.gate.set()
    outcomes = await asyncio.gather(*running, return_exceptions=True)
    assert [str(outcome) for outcome in outcomes] == ["away"] * 7
    assert calls.made == [[0, 1]]
    calls.error = ValueError("this one")
    others = await asyncio.gather(*(batches.run(n) for n in range(4)), return_exceptions=True)
    assert [str(outcome) for outcome in others] == ["this one"] * 4
    assert calls.made[1:] == [[0, 1], [2, 3]]
