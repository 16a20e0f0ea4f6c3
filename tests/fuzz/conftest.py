"""How much is tried, and where it runs: a loop and services that all tests of a file share."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import AsyncExitStack

import pytest

from tests.fuzz.socketless import SocketlessServer
from tests.fuzz.unforeseen import Unforeseen


@pytest.fixture(scope="module")
def runner() -> Iterator[asyncio.Runner]:
    with asyncio.Runner() as runner:
        yield runner


@pytest.fixture(scope="module")
def unforeseen(runner: asyncio.Runner) -> Iterator[Unforeseen]:
    """Give what was logged as a warning or worse, or raised where nobody awaits it."""
    with Unforeseen.watching(runner.get_loop()) as found:
        yield found


@pytest.fixture(scope="module")
def server(
    runner: asyncio.Runner, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[SocketlessServer]:
    stack = AsyncExitStack()
    yield SocketlessServer(runner, stack, tmp_path_factory.mktemp("server"))
    runner.run(stack.aclose())
