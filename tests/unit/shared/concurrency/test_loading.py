from __future__ import annotations

import asyncio
import threading

import pytest

from shared.concurrency.loading import Loading


async def test_it_is_made_before_anybody_asks_and_once() -> None:
    made, began = [], threading.Event()

    def make() -> str:
        made.append(threading.current_thread())
        began.set()
        return "value"

    loading = Loading(make)
    assert began.wait(10)
    assert await asyncio.gather(*(loading.value() for _ in range(5))) == ["value"] * 5
    assert len(made) == 1
    assert made[0] is not threading.current_thread()


async def test_the_loop_goes_on_while_it_is_made() -> None:
    go = threading.Event()
    loading = Loading(lambda: go.wait(10))
    waiting = asyncio.ensure_future(loading.value())
    for _ in range(10):
        await asyncio.sleep(0)
    assert not waiting.done()
    go.set()
    assert await waiting


async def test_who_is_cancelled_while_waiting_cancels_it_for_nobody_else() -> None:
    go = threading.Event()
    loading = Loading(lambda: go.wait(10))
    first, second = (asyncio.ensure_future(loading.value()) for _ in range(2))
    await asyncio.sleep(0)
    first.cancel()
    await asyncio.wait([first])
    assert first.cancelled()
    go.set()
    assert await second
    assert await loading.value()


async def test_everybody_gets_what_its_making_raised() -> None:
    def make() -> None:
        raise ImportError("not installed")

    loading = Loading(make)
    for _ in range(2):
        with pytest.raises(ImportError, match="not installed"):
            await loading.value()
