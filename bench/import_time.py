"""How long the apps take to import, beside the SDK packages that they use."""

from __future__ import annotations

import asyncio
import json
import shutil
import statistics
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.cloud import ROOT, BenchError, RunningCloud
from bench.figures import Figure, Findings, median_ratio
from bench.sizes import Sizes

_APPS = ("sender", "receiver", "tracker")
_SDKS = (
    "azure.functions",
    "azure.identity.aio",
    "azure.keyvault.keys.aio",
    "azure.keyvault.secrets.aio",
    "azure.servicebus.aio",
    "aiohttp",
)
# Prints how long the modules that are given take, by the clock and in CPU of this thread alone,
# without what another one loads meanwhile; and which of the SDKs are imported then.
_PROGRAM = """
import importlib, json, sys, time
names, sdks = json.loads(sys.argv[1]), json.loads(sys.argv[2])
begun, begun_thread = time.perf_counter(), time.thread_time()
for name in names:
    importlib.import_module(name)
seconds, thread = time.perf_counter() - begun, time.thread_time() - begun_thread
used = [one for one in sdks if one in sys.modules]
print(json.dumps({"seconds": seconds, "thread": thread, "sdks": used}))
"""


@dataclass(frozen=True)
class _Time:
    """Seconds by the clock, and CPU seconds of the importing thread."""

    seconds: float
    thread: float


@dataclass(frozen=True)
class _Import:
    """Modules to import, and where: in a process of its own."""

    names: Sequence[str]
    environment: Mapping[str, str]
    folder: Path = ROOT


async def import_time(running: RunningCloud, sizes: Sizes) -> Findings:
    """Measure each app, and the sender from a package that has no byte code of its own."""
    figures = {}
    for app in _APPS:
        environment = await running.environment(app)
        ours = _Import(["function_app"], environment)
        # It also writes the byte code, where there is none yet.
        sdks = _Import((await _run(ours))["sdks"], environment)
        figures[f"import {app}"] = _beside(*await _in_turns(sizes.imports, ours, sdks))
    figures["import read-only"] = await _read_only(running, sizes)
    return Findings(figures)


async def _read_only(running: RunningCloud, sizes: Sizes) -> Figure:
    """Compare the sender's import from a package without byte code of its own to one with it.

    The byte code of other packages is that of pip, which compiles what it installs.
    """
    environment = await running.environment("sender")
    with tempfile.TemporaryDirectory(prefix="relay-package-") as name:
        packages = {one: Path(name) / one for one in ("bare", "compiled")}
        for package in packages.values():
            shutil.copytree(
                ROOT / "shared", package / "shared", ignore=shutil.ignore_patterns("__pycache__")
            )
            shutil.copy(ROOT / "function_app.py", package)
        without = {**environment, "PYTHONDONTWRITEBYTECODE": "1"}
        bare = _Import(["function_app"], without, packages["bare"])
        compiled = _Import(["function_app"], environment, packages["compiled"])
        await _run(compiled)  # which writes it
        return _beside(*await _in_turns(sizes.imports, bare, compiled))


def _beside(ours: Sequence[_Time], theirs: Sequence[_Time]) -> Figure:
    one, other = _median(ours), _median(theirs)
    note = (
        f"{one.seconds:.2f} s beside {other.seconds:.2f} s; "
        f"CPU of the importing thread {one.thread:.2f} s beside {other.thread:.2f} s"
    )
    return Figure(
        median_ratio([one.seconds for one in ours], [one.seconds for one in theirs]), note
    )


def _median(times: Sequence[_Time]) -> _Time:
    seconds, thread = ([getattr(one, name) for one in times] for name in ("seconds", "thread"))
    return _Time(statistics.median(seconds), statistics.median(thread))


async def _in_turns(times: int, ours: _Import, theirs: _Import) -> tuple[list[_Time], list[_Time]]:
    """Make both so often, one right after the other."""
    pairs = [(await _time(ours), await _time(theirs)) for _ in range(times)]
    return [one for one, _ in pairs], [other for _, other in pairs]


async def _time(one: _Import) -> _Time:
    taken = await _run(one)
    return _Time(taken["seconds"], taken["thread"])


async def _run(one: _Import) -> Any:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", _PROGRAM, json.dumps(one.names), json.dumps(_SDKS)),
        cwd=one.folder,
        env=dict(one.environment),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, err = await process.communicate()
    if process.returncode:
        raise BenchError(f"importing {', '.join(one.names)} failed: {err.decode()[-500:]}")
    return json.loads(out)
