"""A bus on loopback, a function app in a folder of its own, and the host as a real process."""

from __future__ import annotations

import asyncio
import json
import os
import sys
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pytest
from azure.servicebus.aio import ServiceBusClient

from local.bus.security.sas import SasAccess, SasRule
from local.bus.server.server import BusServer
from local.deployment.resources import NamespaceSpec, QueueSpec

REPOSITORY = Path(__file__).parents[4]
KEY = "a2V5IG9mIHRoZSB0ZXN0cw=="
NAMESPACE = NamespaceSpec(
    resource_id="/namespaces/relay",
    name="relay",
    host="relay.servicebus.windows.net",
    tier="Standard",
    local_auth=True,
    queues=(
        QueueSpec("/queues/messages", "messages", lock_duration=timedelta(seconds=30)),
        QueueSpec(
            "/queues/brief", "brief", lock_duration=timedelta(seconds=2), max_delivery_count=100
        ),
        QueueSpec("/queues/poison", "poison", max_delivery_count=5),
    ),
)


@dataclass
class Bus:
    """A bus that can be taken away and brought back on the same port."""

    port: int = 0
    server: BusServer | None = None

    async def up(self) -> None:
        rules = {"all": SasRule(KEY, frozenset({"send", "listen"}))}
        self.server = BusServer(NAMESPACE, SasAccess(rules, time.time))
        self.port = await self.server.listen("127.0.0.1", self.port)

    async def down(self) -> None:
        if self.server:
            await self.server.close()
        self.server = None

    @property
    def connection_string(self) -> str:
        return (
            f"Endpoint=sb://127.0.0.1:{self.port};SharedAccessKeyName=all;SharedAccessKey={KEY};"
            "UseDevelopmentEmulator=true;"
        )

    def client(self) -> ServiceBusClient:
        return ServiceBusClient.from_connection_string(self.connection_string)

    def left(self, queue: str = "messages") -> int:
        """Return how many messages the queue still has, in whatever state."""
        assert self.server
        counts = self.server.state()[queue]
        return counts.active + counts.locked + counts.scheduled + counts.dead_lettered

    def dead(self, queue: str) -> int:
        """Return how many messages the queue has given up."""
        assert self.server
        return self.server.state()[queue].dead_lettered


@pytest.fixture
async def bus() -> AsyncIterator[Bus]:
    running = Bus()
    await running.up()
    yield running
    await running.down()


@dataclass
class RunningHost:
    """A host process; `url` is where it serves HTTP."""

    process: asyncio.subprocess.Process
    url: str
    functions: list[str]

    async def ended(self) -> tuple[int, str]:
        """Wait for its end; return its code and its log."""
        assert self.process.stderr
        log = await asyncio.wait_for(self.process.stderr.read(), 20)
        return await self.process.wait(), log.decode()


StartHost = Callable[..., AbstractAsyncContextManager[RunningHost]]


@pytest.fixture
def start_host(tmp_path: Path) -> StartHost:
    @asynccontextmanager
    async def start(
        code: str,
        host_json: dict[str, object] | None = None,
        options: Sequence[str] = (),
        **settings: str,
    ) -> AsyncIterator[RunningHost]:
        process = await spawn(tmp_path, code, host_json or {}, settings, options)
        assert process.stdout
        try:
            line = json.loads(await asyncio.wait_for(process.stdout.readline(), 30) or "{}")
            yield RunningHost(process, line.get("url", ""), line.get("functions", []))
        finally:
            if process.returncode is None:
                process.kill()
            # Read to the end, so that the pipes are closed before the loop is.
            await process.communicate()

    return start


async def spawn(
    root: Path,
    code: str,
    host_json: dict[str, object],
    settings: dict[str, str],
    options: Sequence[str],
) -> asyncio.subprocess.Process:
    (root / "function_app.py").write_text(code)
    (root / "host.json").write_text(json.dumps({"version": "2.0"} | host_json))
    return await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "local.host", "--port", "0", "--root", str(root), *options),
        cwd=REPOSITORY,
        env={"PATH": os.environ["PATH"], **settings},
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )


async def until(condition: Callable[[], bool], seconds: float = 20) -> None:
    """Wait for something to become true; fail if it does not."""
    async with asyncio.timeout(seconds):
        while not condition():  # noqa: ASYNC110 - the condition is another process's doing
            await asyncio.sleep(0.02)
