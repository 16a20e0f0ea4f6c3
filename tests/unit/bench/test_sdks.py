"""What the samples share: they are apps of their own, so it is loaded as their host loads it."""

from __future__ import annotations

import asyncio
import runpy
from pathlib import Path
from typing import Any

import pytest

SAMPLES = Path(__file__).resolve().parents[3] / "bench" / "samples"


@pytest.fixture(scope="module")
def together() -> Any:
    return runpy.run_path(str(SAMPLES / "sdks.py"))["Together"]


async def test_what_waits_during_a_call_goes_together_in_the_next(together: Any) -> None:
    calls: list[list[int]] = []

    async def call(items: list[int]) -> None:
        calls.append(items)
        await asyncio.sleep(0)

    shared = together(call)
    await asyncio.gather(*(shared.run(number) for number in range(5)))
    await shared.run(5)
    assert calls == [[0, 1, 2, 3, 4], [5]]


async def test_an_error_is_raised_to_those_of_its_call_alone(together: Any) -> None:
    async def call(items: list[int]) -> None:
        if 1 in items:
            raise ValueError("planted")

    shared = together(call)
    with pytest.raises(ValueError, match="planted"):
        await shared.run(1)
    await shared.run(2)
