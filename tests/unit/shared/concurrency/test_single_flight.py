from __future__ import annotations

import asyncio

import pytest

from shared.concurrency.single_flight import SingleFlight
from shared.errors import CallCancelledError


@pytest.mark.parametrize(
    ("raised", "got"),
    [
        (OSError, OSError),
        (asyncio.CancelledError, CallCancelledError),
        (StopAsyncIteration, StopAsyncIteration),
    ],
)
async def test_however_a_call_ends_everybody_gets_an_answer(
    raised: type[BaseException], got: type[Exception]
) -> None:
    async def call() -> None:
        await asyncio.sleep(0)
        raise raised

    flights = SingleFlight[str, None]()
    running = [asyncio.create_task(flights.run("a", call)) for _ in range(3)]
    outcomes = await asyncio.gather(*running, return_exceptions=True)
    assert [type(outcome) for outcome in outcomes] == [got] * 3


async def test_a_caller_that_goes_away_takes_nothing_from_the_others() -> None:
    ready = asyncio.Event()
    calls = 0

    async def call() -> int:
        nonlocal calls
        calls += 1
        await ready.wait()
        return 7

    flights = SingleFlight[str, int]()
    running = [asyncio.create_task(flights.run("a", call)) for _ in range(3)]
    await asyncio.sleep(0)
    running[0].cancel()
    await asyncio.sleep(0)
    ready.set()
    assert await asyncio.gather(*running[1:]) == [7, 7]
    assert calls == 1
