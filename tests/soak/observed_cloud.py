"""`python -m tests.soak.observed_cloud up …`: the local cloud, which counts what it holds.

It does so on SIGUSR1, after a collection of garbage.

What it keeps for its users by number (messages at the partner) is limited to fewer than usual, so
that the limit is reached early, and what grows after that is a leak.
"""

from __future__ import annotations

import asyncio
import gc
import json
import os
import signal
import sys
from collections import Counter
from pathlib import Path
from types import FrameType

from local.cli.main import main
from local.partner import webhook

COUNTS = "SOAK_COUNTS"  # the environment variable that names the file to write
_KEPT = 300


def _count(path: Path) -> None:
    gc.collect()
    types = Counter(f"{type(one).__module__}.{type(one).__qualname__}" for one in gc.get_objects())
    found = {"tasks": len(asyncio.all_tasks()), "objects": types}
    complete = path.with_suffix(".new")
    complete.write_text(json.dumps(found))
    complete.replace(path)


def _on_signal(_number: int, _frame: FrameType | None) -> None:
    _count(Path(os.environ[COUNTS]))


if __name__ == "__main__":
    webhook._MAX_KEPT = webhook._MAX_IDS = _KEPT
    signal.signal(signal.SIGUSR1, _on_signal)
    sys.exit(main())
