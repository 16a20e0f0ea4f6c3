from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.concurrency.batches import Batch, Batches


class Calls:
    """Takes at most `most` items a call, waits for `gate`, and answers with ten times the item.

    `error` is raised for what is `bad`, or for all.
    """

    def __init__(self, most: int = 10) -> None:
        self.most = most
        self.made: list[Sequence[int]] = []
        self.gate = asyncio.Event()
        self.error: Exception | None = None
        self.bad: set[int] = set()

    async def __call__(self, batch: Batch[int, int]) -> Sequence[int]:
        items = batch.take_at_most(self.most)
        self.made.append(items)
        await self.gate.wait()
        if self.error and (not self.bad or self.bad & set(items)):
            raise self.error
        return [item * 10 for item in items]


async def started(batches: Batches[int, int], *items: int) -> list[asyncio.Task[int]]:
    """Start a caller for each item, and let the first call begin."""
    running = [asyncio.create_task(batches.run(item)) for item in items]
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    return running


async def outcomes_of(running: Sequence[asyncio.Task[int]]) -> list[int | str]:
    """Return what each caller got: an outcome, or the text of an error."""
    outcomes = await asyncio.gather(*running, return_exceptions=True)
    return [one if isinstance(one, int) else str(one) for one in outcomes]


async def test_what_waits_goes_together_and_each_gets_its_own_outcome() -> None:
    calls = Calls(4)
    batches = Batches(calls)
    running = await started(batches, 0)
    running += await started(batches, *range(1, 7))
    calls.gate.set()
    assert await outcomes_of(running) == [0, 10, 20, 30, 40, 50, 60]
    assert calls.made == [[0], [1, 2, 3, 4], [5, 6]]
    assert await batches.run(7) == 70


async def test_a_call_takes_what_waits_by_then_and_not_what_waited_when_it_began() -> None:
    ready = asyncio.Event()
    made = []

    async def call(batch: Batch[int, int]) -> Sequence[int]:
        await ready.wait()
        made.append(batch.take_at_most(10))
        return made[-1]

    batches = Batches(call)
    running = await started(batches, 1)
    running += await started(batches, 2, 3)
    ready.set()
    assert await outcomes_of(running) == [1, 2, 3]
    assert made == [[1, 2, 3]]


async def test_a_call_ends_its_batch_at_the_first_item_that_does_not_fit() -> None:
    made = []

    async def call(batch: Batch[int, int]) -> Sequence[int]:
        room = [10]

        def fits(size: int) -> bool:
            room[0] -= size
            return room[0] >= 0

        made.append(batch.take(fits))
        return made[-1]

    running = await started(Batches(call), 4, 5, 6, 1, 2, 9)
    assert await outcomes_of(running) == [4, 5, 6, 1, 2, 9]
    assert made == [[4, 5], [6, 1, 2], [9]], "in their order: none overtakes a larger one"


async def test_an_error_is_of_those_who_were_in_the_call() -> None:
    calls = Calls(2)
    calls.error, calls.bad = OSError("away"), {2}
    running = await started(Batches(calls), 1, 2, 3)
    calls.gate.set()
    assert await outcomes_of(running) == ["away", "away", 30]
    assert calls.made == [[1, 2], [3]]


async def test_an_error_before_anything_was_taken_is_of_all_who_wait() -> None:
    gate = asyncio.Event()
    calls = 0

    async def call(_: Batch[int, int]) -> Sequence[int]:
        nonlocal calls
        calls += 1
        await gate.wait()
        raise ConnectionError("no link")

    batches = Batches(call)
    running = await started(batches, 1)
    running += await started(batches, 2, 3)
    gate.set()
    assert await outcomes_of(running) == ["no link"] * 3
    assert calls == 1


async def test_an_error_that_aborts_ends_the_waiting_of_all() -> None:
    calls = Calls(2)
    calls.error = ConnectionError("away")
    batches = Batches(calls, OSError)
    running = await started(batches, *range(7))
    calls.gate.set()
    assert await outcomes_of(running) == ["away"] * 7
    assert calls.made == [[0, 1]]
    calls.error = ValueError("this one")
    assert await outcomes_of(await started(batches, *range(4))) == ["this one"] * 4
    assert calls.made[1:] == [[0, 1], [2, 3]]


async def test_one_who_goes_away_takes_nothing_with_it() -> None:
    calls = Calls()
    batches = Batches(calls)
    running = await started(batches, 0, 1, 2)
    running[1].cancel()
    calls.gate.set()
    outcomes = await asyncio.gather(*running, return_exceptions=True)
    assert (outcomes[0], outcomes[2]) == (0, 20)
    assert isinstance(outcomes[1], asyncio.CancelledError)
    assert await batches.run(3) == 30


async def test_what_nobody_waits_for_any_more_goes_into_no_call() -> None:
    calls = Calls()
    batches = Batches(calls)
    running = await started(batches, 0)
    running += await started(batches, 1, 2, 3)
    running[1].cancel()
    running[3].cancel()
    await asyncio.sleep(0)
    calls.gate.set()
    assert await running[2] == 20
    assert calls.made == [[0], [2]]


async def test_no_call_is_made_for_nobody() -> None:
    calls = Calls()
    batches = Batches(calls)
    running = await started(batches, 0)
    running += await started(batches, 1)
    running[1].cancel()
    await asyncio.sleep(0)
    calls.gate.set()
    assert await running[0] == 0
    assert await batches.run(2) == 20
    assert calls.made == [[0], [2]]


async def test_an_error_passes_by_who_has_gone_away() -> None:
    calls = Calls()
    calls.error = ConnectionError("away")
    batches = Batches(calls, OSError)
    running = await started(batches, 0)
    running += await started(batches, 1, 2)
    running[0].cancel()
    running[1].cancel()
    await asyncio.sleep(0)
    calls.gate.set()
    with pytest.raises(ConnectionError):
        await running[2]


@pytest.mark.parametrize("answers", [0, 1, 3])
async def test_a_call_that_answers_for_more_or_less_than_it_took_keeps_nobody_waiting(
    answers: int,
) -> None:
    async def call(batch: Batch[int, int]) -> Sequence[int]:
        batch.take_at_most(2)
        return [0] * answers

    running = await started(Batches(call), 1, 2)
    assert await outcomes_of(running) == [f"{answers} outcomes of 2 items taken"] * 2


async def test_a_call_that_takes_nothing_keeps_nobody_waiting() -> None:
    async def call(_: Batch[int, int]) -> Sequence[int]:
        return []

    running = await started(Batches(call), 1, 2)
    assert await outcomes_of(running) == ["0 outcomes of 0 items taken"] * 2


async def test_all_may_go_away_before_a_call_takes_anything() -> None:
    gate = asyncio.Event()

    async def call(batch: Batch[int, int]) -> Sequence[int]:
        await gate.wait()
        return batch.take_at_most(2)

    batches = Batches(call)
    (running,) = await started(batches, 1)
    running.cancel()
    await asyncio.sleep(0)
    gate.set()
    assert await batches.run(2) == 2


class StrangeError(BaseException):
    """Neither an `Exception` nor a cancellation."""


ENDINGS = [None, OSError("away"), asyncio.CancelledError(), StopAsyncIteration(), StrangeError()]


@given(
    endings=st.lists(st.tuples(st.integers(0, 3), st.sampled_from(ENDINGS)), max_size=8),
    items=st.integers(1, 8),
    cancelled=st.none() | st.integers(0, 12),
)
async def test_however_a_call_ends_everybody_gets_an_answer(
    endings: list[tuple[int, BaseException | None]], items: int, cancelled: int | None
) -> None:
    async def call(batch: Batch[int, int]) -> Sequence[int]:
        most, error = endings.pop() if endings else (3, None)
        taken = batch.take_at_most(most)
        await asyncio.sleep(0)
        if error:
            raise error
        return taken

    batches = Batches(call)
    running = [asyncio.create_task(batches.run(item)) for item in range(items)]
    if cancelled is not None:
        for _ in range(cancelled):
            await asyncio.sleep(0)
        await batches.close()
    outcomes = await asyncio.wait_for(asyncio.gather(*running, return_exceptions=True), 10)
    for item, outcome in enumerate(outcomes):
        assert outcome == item or isinstance(outcome, Exception)
    assert not any(isinstance(outcome, asyncio.CancelledError) for outcome in outcomes)
    endings.clear()
    assert await asyncio.wait_for(batches.run(7), 10) == 7, "and the next one is served"


async def test_a_call_that_is_cancelled_before_it_begins_keeps_nobody_waiting() -> None:
    batches = Batches(Calls())
    running = asyncio.create_task(batches.run(1))
    await asyncio.sleep(0)
    await batches.close()
    assert await outcomes_of([running]) == ["the call was cancelled"]
    await batches.close()
