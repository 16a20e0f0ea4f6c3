"""Ending a command by Ctrl-C in good order."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Iterator
from contextlib import contextmanager

from local.cli.output import notify


@contextmanager
def interruptible(stop: asyncio.Event) -> Iterator[None]:
    """Let the first Ctrl-C end the work in good order; a second one ends it at once."""
    loop = asyncio.get_running_loop()
    signals = (signal.SIGINT, signal.SIGTERM)

    def interrupt() -> None:
        notify("\nstopping after what is under way; Ctrl-C again stops at once")
        stop.set()
        for number in signals:
            loop.remove_signal_handler(number)

    for number in signals:
        loop.add_signal_handler(number, interrupt)
    try:
        yield
    finally:
        for number in signals:
            loop.remove_signal_handler(number)
