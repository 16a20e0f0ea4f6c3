"""Keeping a local cloud up for as long as somebody wants it."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from local.cloud import Cloud, serve
from local.control import control_app, new_key
from local.deployment import load
from local.folder import KEY_FILE, hold

_CONTROL_PORT = 7099


@dataclass(frozen=True)
class Start:
    """What to start, and where."""

    folder: Path
    snapshot: Path
    log_level: str | None


def run(start: Start, during: Callable[[Cloud], Awaitable[int]]) -> int:
    """Start a cloud, do something while it is up, and stop all of it again.

    SIGINT and SIGTERM end it at any time. Returns what `during` returns, or 130 if ended.
    """
    # All that is made from here on, by the apps too, is for this user alone.
    os.umask(0o077)
    try:
        return asyncio.run(_run(start, during))
    except (KeyboardInterrupt, asyncio.CancelledError):
        return 130


async def until_told(_: Cloud) -> int:
    """Stay up until SIGINT or SIGTERM."""
    told = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, told.set)
    await told.wait()
    return 0


async def _run(start: Start, during: Callable[[Cloud], Awaitable[int]]) -> int:
    task = asyncio.current_task()
    assert task is not None  # noqa: S101 - asyncio.run made one
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, task.cancel)
    async with _up(start) as cloud:
        result = await during(cloud)
        # A second signal must not cut the stopping short and leave an app running.
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, lambda: None)
        tell("Stopping ...")
    return result


@asynccontextmanager
async def _up(start: Start) -> AsyncIterator[Cloud]:
    deployment = load(start.snapshot)
    async with AsyncExitStack() as stack:
        folder = stack.enter_context(hold(start.folder))
        cloud = Cloud(deployment, folder, tell, start.log_level)
        await stack.enter_async_context(cloud)
        key = new_key()
        folder.write_private(KEY_FILE, key)
        control = control_app(cloud, key)
        listening = cloud.ports.bind("control", _CONTROL_PORT)
        cloud.endpoints["control"] = await serve(stack, control, listening)
        folder.announce(cloud.endpoints)
        stack.callback(folder.withdraw)
        yield cloud


def tell(text: str) -> None:
    """Say something that is not a command's result."""
    print(text, file=sys.stderr, flush=True)
