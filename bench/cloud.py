"""A local cloud in a process of its own, and hosts beside it, as the bench runs them."""

from __future__ import annotations

import asyncio
import json
import os
import re
import shutil
import signal
import ssl
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp

from bench.counters import Counters
from bench.figures import Sample
from bench.processes import children, command_line, cpu_seconds
from local.net.folder import KEY_FILE, PARTNER_KEY_FILE
from local.net.trust import trust_variables

ROOT = Path(__file__).resolve().parents[1]
_START_SECONDS = 180.0
_STOP_SECONDS = 60.0
_PATIENCE_SECONDS = 300.0  # of a slow machine
_EXECUTED = re.compile(r"Executed 'Functions\.")
_ENVIRONMENT = ("PATH", "HOME", "LANG", "TMPDIR")
_APPS = ("sender", "receiver", "tracker")
_POLL_SECONDS = 0.1
_TAIL = 2000  # characters of a log


class BenchError(Exception):
    """Something that the bench needs did not come up, or did not go on; says what."""


@dataclass(frozen=True)
class Host:
    """A Functions host that is up: its URL and its process, whose child is the worker."""

    url: str
    pid: int

    def cpu(self) -> dict[str, float]:
        """Return the CPU seconds of host and worker so far."""
        return {"host": cpu_seconds([self.pid]), "worker": cpu_seconds(children(self.pid))}


class RunningCloud:
    """A cloud that is up, reached by its control endpoint."""

    def __init__(self, folder: Path, pid: int, session: aiohttp.ClientSession) -> None:
        self.folder = folder
        self.endpoints: Mapping[str, Any] = json.loads((folder / "endpoints.json").read_text())
        self._pid = pid
        self._session = session

    async def control(self, method: str, path: str, body: object = None) -> Any:
        """Make a request to the control endpoint. Raises `BenchError` with its error."""
        key = (self.folder / KEY_FILE).read_text()
        async with self._session.request(
            method,
            f"{self.endpoints['control']}{path}",
            json=body,
            headers={"Authorization": f"Bearer {key}"},
        ) as answer:
            content = await answer.json(content_type=None)
            if answer.status >= 400:
                raise BenchError(f"{method} {path}: {content}")
            return content

    async def command(self, command: str, *apps: str) -> None:
        """Start, stop or restart apps of the deployment."""
        for app in apps:
            await self.control("POST", f"/apps/{app}/{command}")

    async def reset(self) -> None:
        """Let all apps be up and no fault be active, however the last group ended."""
        await self.control("DELETE", "/faults")
        await self.command("start", *_APPS)

    async def counters(self) -> Counters:
        """Return what the services were asked for so far."""
        return Counters.from_used(await self.control("GET", "/grants/used"))

    async def environment(self, app: str) -> dict[str, str]:
        """Return the environment that makes a program the app."""
        own = {name: value for name, value in os.environ.items() if name in _ENVIRONMENT}
        return {**own, **await self.control("GET", f"/apps/{app}/environment")}

    async def depth(self, queue: str) -> int:
        """Return how many messages a queue has to deliver, now or later, or has delivered."""
        counts = (await self.control("GET", "/status"))["queues"][queue]
        return sum(int(counts[state]) for state in ("active", "scheduled", "locked"))

    def app(self, name: str) -> Host:
        """Return the host of an app of the deployment. Raises `BenchError` if it is not up."""
        url = str(self.endpoints[name])
        port = url.rpartition(":")[2]
        for pid in children(self._pid):
            if "--port" in (line := command_line(pid)) and port in line:
                return Host(url, pid)
        raise BenchError(f"the app {name} is not up")

    def executions(self, app: str) -> int:
        """Return how many calls of its functions an app has ended so far, by its log."""
        text = (self.folder / "logs" / f"{app}.log").read_text(errors="replace")
        return len(_EXECUTED.findall(text))

    def services_cpu(self) -> float:
        """Return the CPU seconds of bus, vault, identity endpoint and partner, one process."""
        return cpu_seconds([self._pid])

    async def emptied(self, *queues: str) -> None:
        """Wait until the queues are empty. Raises `BenchError` if they are not within minutes.

        What a group leaves behind would be counted in the next.
        """
        loop = asyncio.get_running_loop()
        until = loop.time() + _PATIENCE_SECONDS
        while any([await self.depth(queue) for queue in queues]):
            if loop.time() > until:
                raise BenchError(f"not empty after minutes: {', '.join(queues)}")
            await asyncio.sleep(_POLL_SECONDS)

    async def received(self) -> int:
        """Return how many messages the partner received so far."""
        return int((await self.control("GET", "/status"))["partner"]["received"])

    async def deliveries(self) -> Sequence[Mapping[str, Any]]:
        """Return what the partner kept of the messages that it received, oldest first."""
        key = (self.folder / PARTNER_KEY_FILE).read_text()
        tls = ssl.create_default_context(cafile=str(self.endpoints["ca"]))
        headers = {"Authorization": f"Bearer {key}"}
        url = f"{self.endpoints['partner']}/received"
        async with self._session.get(url, headers=headers, ssl=tls) as answer:
            listed: Sequence[Mapping[str, Any]] = await answer.json(content_type=None)
            return listed

    async def arrivals(
        self, begun: int, count: int, host: Host, seconds: float
    ) -> Sequence[Sample]:
        """Sample what the partner received beyond `begun`, until it is `count` or time is up."""

        async def arrived() -> int:
            return await self.received() - begun

        return await self._sample(count, host, seconds, arrived)

    async def removals(
        self, queue: str, count: int, host: Host, seconds: float
    ) -> Sequence[Sample]:
        """Sample how `count` messages leave a queue, until all have or the time is up."""

        async def removed() -> int:
            return count - await self.depth(queue)

        return await self._sample(count, host, seconds, removed)

    async def _sample(
        self, count: int, host: Host, seconds: float, read: Callable[[], Awaitable[int]]
    ) -> Sequence[Sample]:
        loop = asyncio.get_running_loop()
        until = loop.time() + seconds
        samples = [Sample(loop.time(), await read(), self._cpu(host))]
        while samples[-1].count < count and loop.time() < until:
            await asyncio.sleep(_POLL_SECONDS)
            samples.append(Sample(loop.time(), await read(), self._cpu(host)))
        return samples

    def _cpu(self, host: Host) -> dict[str, float]:
        return {"services": self.services_cpu(), **host.cpu()}


@asynccontextmanager
async def cloud(folder: Path, *options: str) -> AsyncIterator[RunningCloud]:
    """Start a cloud in a folder as `python -m local up` does, without access keys; stop it."""
    command = (sys.executable, "-m", "local", "up", "--folder", str(folder))
    output = folder.with_suffix(".output")
    with output.open("wb") as file:
        process = await asyncio.create_subprocess_exec(
            *command, "--free-ports", "--no-keys", *options, cwd=ROOT, stdout=file, stderr=file
        )
    try:
        loop = asyncio.get_running_loop()
        until = loop.time() + _START_SECONDS
        while not (folder / "endpoints.json").exists():
            if process.returncode is not None or loop.time() > until:
                text = output.read_text(errors="replace")[-_TAIL:]
                raise BenchError(f"the local cloud did not come up:\n{text}")
            await asyncio.sleep(_POLL_SECONDS)
        async with aiohttp.ClientSession() as session:
            yield RunningCloud(folder, process.pid, session)
    finally:
        await _end(process)


@asynccontextmanager
async def host(
    running: RunningCloud, app: str, sample: str | None = None, **settings: str
) -> AsyncIterator[Host]:
    """Run one more host with the environment of an app: of a sample, or else of the project."""
    name = sample or app
    root = _sample_root(running, sample) if sample else ROOT
    # A sample trusts what its machine trusts, as in Azure. With `connection_verify` the SDK's
    # clients of the vault would open a connection for each request.
    trusted = trust_variables(Path(str(running.endpoints["ca"]))) if sample else {}
    log = running.folder / "logs" / f"beside-{name}.log"
    with log.open("ab") as errors:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "local.host", "--port", "0", "--root", str(root)),
            cwd=ROOT,
            env={**await running.environment(app), **trusted, **settings},
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=errors,
        )
    try:
        assert process.stdout  # noqa: S101 - it was created as a pipe
        line = await asyncio.wait_for(process.stdout.readline(), _START_SECONDS)
        if not line:
            raise BenchError(f"{name} did not come up:\n{log.read_text()[-_TAIL:]}")
        yield Host(str(json.loads(line)["url"]), process.pid)
    finally:
        await _end(process)


def _sample_root(running: RunningCloud, sample: str) -> Path:
    """Return a folder that is the app of a sample; what several samples share is beside it."""
    root = running.folder / "samples" / sample
    shutil.copytree(ROOT / "bench" / "samples", root, dirs_exist_ok=True)
    shutil.copy(root / f"{sample}.py", root / "function_app.py")
    shutil.copy(ROOT / "host.json", root / "host.json")
    shutil.copy(ROOT / "shared" / "apps" / "message_times.py", root / "message_times.py")
    return root


async def run(
    running: RunningCloud, app: str, module: str, *arguments: str, given: object = None
) -> Any:
    """Run a module of the bench as the app until it ends; return the JSON that it prints.

    Raises `BenchError` with what it wrote, if it failed.
    """
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", module, *arguments),
        cwd=ROOT,
        env=await running.environment(app),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        out, err = await process.communicate(json.dumps(given).encode())
    finally:
        await _end(process)
    if process.returncode:
        raise BenchError(f"{module} failed:\n{err.decode(errors='replace')[-_TAIL:]}")
    return json.loads(out)


async def _end(process: asyncio.subprocess.Process) -> None:
    if process.returncode is not None:
        return
    process.send_signal(signal.SIGTERM)
    try:
        await asyncio.wait_for(process.wait(), _STOP_SECONDS)
    except TimeoutError:
        process.kill()
        await process.wait()
