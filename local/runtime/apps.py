"""The function apps of a deployment, each a process of its own with its own identity header."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from http import HTTPStatus
from pathlib import Path

import aiohttp

from local.deployment.resources import AppSpec
from local.net.folder import ROOT

_START = 60.0  # seconds that an app may take to come up
_STOP = 15.0  # seconds that an app may take to finish its requests and messages
_TAIL = 20  # lines of a log shown when an app fails
_OF_A_PACKAGE = ("function_app.py", "host.json")
_OF_A_PROCESS = ("PATH", "HOME", "LANG", "TMPDIR")


class AppFailedError(Exception):
    """An app did not come up; the message ends with the end of its log."""

    def __init__(self, app: str, what: str, log: Path) -> None:
        super().__init__(f"app {app!r} {what}; the end of {log}:\n{_tail(log)}")
        self.app = app
        self.log = log


@dataclass
class AppProcess:
    """An app and its process. `environment` is all that the app is given by the deployment.

    `port` is reserved for it. `keys` is the file of its access keys; without it none is needed.
    `package` is the folder that it runs from: this project's, or that of another version of it.
    `round_trip`: the seconds that a database in a file seems to be away.
    """

    spec: AppSpec
    environment: Mapping[str, str] = field(repr=False)
    log: Path
    log_level: str | None
    port: int
    on_event: Callable[[str], None]
    keys: Path | None = None
    round_trip: float = 0.0
    url: str | None = None
    process: asyncio.subprocess.Process | None = None
    package: Path = ROOT

    @property
    def state(self) -> str:
        """`up`, `stopped` (never started, or by `stop` or `kill`) or `ended (code)`."""
        if self.process is None:
            return "stopped"
        code = self.process.returncode
        return "up" if code is None else f"ended ({code})"

    async def start(self) -> None:
        """Start it and wait until it serves; AppFailedError if it does not."""
        descriptor = os.open(self.log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        try:
            self.process = await asyncio.create_subprocess_exec(
                *self._command(),
                cwd=ROOT,
                # Nothing of the parent's environment may leak into an app: it could hide a setting
                # that the deployment lacks, or give the app what is not its own.
                env={**_of_a_process(os.environ), **self.environment},
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=descriptor,
                start_new_session=True,
            )
        finally:
            os.close(descriptor)
        try:
            self.url = await asyncio.wait_for(self._ready(self.process), _START)
        except TimeoutError:
            await self.stop()
            raise AppFailedError(
                self.spec.app, f"was not up after {_START:.0f} s", self.log
            ) from None
        if problems := await _wrong_settings(self.url):
            await self.stop()
            raise AppFailedError(self.spec.app, f"does not run: {'; '.join(problems)}", self.log)
        self._watching = asyncio.create_task(self._watch(self.process))

    def take(self, package: Path) -> None:
        """Run from another folder when it is started next. Raises `ValueError` for one of no app.

        The host stays this project's, as Azure's is the same for each package.
        """
        try:
            missing = [name for name in _OF_A_PACKAGE if not (package / name).is_file()]
        except OSError as error:  # a path that no file can have
            raise ValueError(
                f"the folder of the package cannot be read: {error.strerror}"
            ) from None
        if missing or not package.is_absolute():
            wrong = f"it has no {' and no '.join(missing)}" if missing else "its path is relative"
            raise ValueError(f"{package} is not the folder of a package: {wrong}")
        self.package = package

    async def stop(self) -> None:
        """Let it finish its requests and messages, then stop it; kill it if that takes too long."""
        await self._end(signal.SIGTERM)

    async def kill(self) -> None:
        """Kill it at once, as a failing machine would."""
        await self._end(signal.SIGKILL)

    async def _watch(self, process: asyncio.subprocess.Process) -> None:
        """Return when the app ends by itself."""
        code = await process.wait()
        if self.process is process:
            self.on_event(str(AppFailedError(self.spec.app, f"ended with code {code}", self.log)))

    async def _end(self, number: signal.Signals) -> None:
        process, self.process = self.process, None
        if process is None or process.returncode is not None:
            return
        process.send_signal(number)
        try:
            await asyncio.wait_for(process.wait(), _STOP)
        except TimeoutError:
            process.kill()
            await process.wait()

    async def _ready(self, process: asyncio.subprocess.Process) -> str:
        assert process.stdout is not None  # noqa: S101 - it was created as a pipe
        line = await process.stdout.readline()
        if not line:
            await process.wait()
            raise AppFailedError(self.spec.app, f"ended with code {process.returncode}", self.log)
        return str(json.loads(line)["url"])

    def _command(self) -> Sequence[str]:
        level = ("--log-level", self.log_level) if self.log_level else ()
        port = ("--port", str(self.port), "--reserved")
        keys = ("--keys", str(self.keys)) if self.keys else ()
        away = ("--database-latency", str(1000 * self.round_trip)) if self.round_trip else ()
        host = (sys.executable, "-m", "local.host")
        return (*host, *port, "--root", str(self.package), *level, *keys, *away)


async def _wrong_settings(url: str) -> list[str]:
    """Return the problems of an app's settings: with any, it is up and runs no function."""
    async with aiohttp.ClientSession() as session, session.get(f"{url}/api/health") as answer:
        if answer.status != HTTPStatus.SERVICE_UNAVAILABLE:
            return []
        document = await answer.json(content_type=None)
    return [str(problem) for problem in document.get("problems", [])]


def _of_a_process(parent: Mapping[str, str]) -> dict[str, str]:
    return {
        name: value
        for name, value in parent.items()
        if name in _OF_A_PROCESS or name.startswith("PYTHON")
    }


def _tail(log: Path) -> str:
    lines = log.read_text(errors="replace").splitlines() if log.exists() else []
    return "\n".join(f"  {line}" for line in lines[-_TAIL:]) or "  (empty)"
