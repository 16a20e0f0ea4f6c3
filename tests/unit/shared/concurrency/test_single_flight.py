from __future__ import annotations

import asyncio
import gc

import pytest

from shared.concurrency.single_flight import SingleFlight
from shared.errors import CallCancelledError


class Call:
    def __init__(self) -> None:
        self.made = 0
        self.gate = asyncio.Event()
        self.error: Exception | None = None

    async def __call__(self) -> int:
        self.made += 1
        await self.gate.wait()
        if self.error:
            raise self.error
        return self.made


async def test_who_comes_meanwhile_shares_the_outcome_and_who_comes_later_does_not() -> None:
    flights: SingleFlight[str, int] = SingleFlight()
    call = Call()
    running = [asyncio.create_task(flights.run("a", call)) for _ in range(5)]
    await asyncio.sleep(0)
    call.gate.set()
    assert await asyncio.gather(*running) == [1] * 5
    assert await flights.run("a", call) == 2


async def test_another_key_is_another_call() -> None:
    flights: SingleFlight[str, int] = SingleFlight()
    call = Call()
    call.gate.set()
    await asyncio.gather(flights.run("a", call), flights.run("b", call))
    assert call.made == 2


async def test_an_error_is_of_all_who_wait_and_of_nobody_after_them() -> None:
    flights: SingleFlight[str, int] = SingleFlight()
    call = Call()
    call.error = OSError("away")
    call.gate.set()
    outcomes = await asyncio.gather(
        *(flights.run("a", call) for _ in range(3)), return_exceptions=True
    )
    assert outcomes == [call.error] * 3
    call.error = None
    assert await flights.run("a", call) == 2


async def test_a_caller_that_is_cancelled_takes_nothing_from_the_others() -> None:
    flights: SingleFlight[str, int] = SingleFlight()
    call = Call()
    first, second = (asyncio.create_task(flights.run("a", call)) for _ in range(2))
    await asyncio.sleep(0)
    first.cancel()
    await asyncio.sleep(0)
    call.gate.set()
    assert await second == 1
    with pytest.raises(asyncio.CancelledError):
        await first


async def test_an_error_that_nobody_waits_for_any_more_is_not_reported_by_the_loop() -> None:
    reported: list[object] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: reported.append(context))
    flights: SingleFlight[str, int] = SingleFlight()
    call = Call()
    call.error = OSError("away")
    running = asyncio.create_task(flights.run("a", call))
    await asyncio.sleep(0)
    running.cancel()
    await asyncio.sleep(0)
    call.gate.set()
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    gc.collect()
    assert reported == []


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
