"""What commands print beside their results, progress included."""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

_FIRST = 2.0  # seconds after which a user wonders whether anything happens
_NEXT = 10.0  # seconds between the lines after it


def notify(text: str) -> None:
    """Print what is not a command's result."""
    print(text, file=sys.stderr, flush=True)


def printable(text: str, *, keep: str = "") -> str:
    """Spell out control characters, but those of `keep`: none may reach a user's terminal."""
    return "".join(c if c.isprintable() or c in keep else ascii(c)[1:-1] for c in text)


def end_quietly() -> int:
    """End as a program does whose reader has seen enough: `| head` is not an error."""
    # The interpreter flushes standard output at its end, and would complain.
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    return 0


@contextmanager
def progress(
    waiting_for: str,
    show: Callable[[str], None] = notify,
    first: float = _FIRST,
    following: float = _NEXT,
) -> Iterator[None]:
    """Print what is waited for while the block takes longer than two seconds, and every ten.

    Lines and no animation, so that it is the same on a terminal and in a file. On a thread, so that
    it shows a block that does not come to anything else.
    """
    ended, began = threading.Event(), time.monotonic()

    def wait() -> None:
        pause = first
        while not ended.wait(pause):
            show(f"{waiting_for} ({time.monotonic() - began:.0f} s)")
            pause = following

    thread = threading.Thread(target=wait, name="progress", daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()
