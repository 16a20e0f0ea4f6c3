"""What one instance does when the partner is back."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence

import pytest

from shared.apps.bring_forward import Forwarded
from shared.apps.catch_up import FIRST_SECONDS, CatchUp
from shared.azure.queues import BusUnavailableError


class Instance:
    """Brings forward with the outcomes that are given, one after the other."""

    def __init__(self, *outcomes: Forwarded | Exception, chance: float = 0.5) -> None:
        self.outcomes = list(outcomes)
        self.slept: list[float] = []
        self.catch_up = CatchUp(self._run, lambda: chance, self._sleep)

    async def _run(self) -> Forwarded:
        await asyncio.sleep(0)
        outcome = self.outcomes.pop(0)
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    async def _sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        await asyncio.sleep(0)


async def test_it_waits_a_random_time_so_that_not_all_begin_at_once() -> None:
    instance = Instance(Forwarded(3), chance=0.25)
    await instance.catch_up.on_back()
    assert instance.slept == [FIRST_SECONDS / 4]


@pytest.mark.parametrize(
    "first", [Forwarded(moved=9, contended=7), BusUnavailableError("away"), OSError("reset")]
)
async def test_it_looks_again_later_where_others_do_it_or_the_bus_does_not(
    first: Forwarded | Exception,
) -> None:
    instance = Instance(first, Forwarded())
    await instance.catch_up.on_back()
    assert instance.slept == [FIRST_SECONDS / 2, FIRST_SECONDS]


async def test_it_does_not_try_for_ever() -> None:
    instance = Instance(*[Forwarded(9, 9)] * 5)
    await instance.catch_up.on_back()
    assert instance.outcomes == []


async def test_it_runs_once_at_a_time() -> None:
    instance = Instance(Forwarded(1))
    await asyncio.gather(instance.catch_up.on_back(), instance.catch_up.on_back())
    assert instance.slept == [FIRST_SECONDS / 2]


async def test_the_log_says_how_many_in_one_line(caplog: pytest.LogCaptureFixture) -> None:
    logged: Sequence[Forwarded] = (Forwarded(7, 2), Forwarded())
    await Instance(*logged).catch_up.on_back()
    assert [(r.levelno, r.getMessage()) for r in caplog.records] == [
        (logging.WARNING, "brought forward 7 messages that waited, 2 of them at once with others")
    ]
