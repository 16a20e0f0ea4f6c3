"""A bus with a journal in a process of its own, to be killed: `serve_kept.py JOURNAL PORT`."""

from __future__ import annotations

import asyncio
import sys
import time
from datetime import timedelta
from pathlib import Path

from local.bus.broker.journal import Journal
from local.bus.security.sas import SasAccess, SasRule
from local.bus.server.server import BusServer
from local.deployment.resources import NamespaceSpec, QueueSpec

SPEC = NamespaceSpec(
    "/n",
    "n",
    "n",
    "Standard",
    local_auth=True,
    queues=(
        QueueSpec("/q", "plain", max_delivery_count=100),
        QueueSpec("/q", "unique", duplicate_window=timedelta(minutes=1)),
        QueueSpec("/q", "retries", forward_to="unique"),
    ),
)


async def main(path: Path, port: int) -> None:
    rule = SasRule("a2V5", frozenset({"send", "listen"}))
    bus = BusServer(SPEC, SasAccess({"all": rule}, time.time), journal=Journal(path))
    print(await bus.listen("127.0.0.1", port), flush=True)
    # It must not outlive the test that started it.
    await asyncio.to_thread(sys.stdin.read)
    await bus.close()


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), int(sys.argv[2])))
