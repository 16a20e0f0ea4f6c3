"""How long the apps take to import, beside the SDK packages that they use."""

from __future__ import annotations

import asyncio
import json
import shutil
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from bench.cloud import ROOT, BenchError, RunningCloud
from bench.figures import Figure, Findings
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
# Prints how long the modules that are given take, and which of the SDKs are imported then.
_PROGRAM = """
import importlib, json, sys, time
names, sdks = json.loads(sys.argv[1]), json.loads(sys.argv[2])
begun = time.perf_counter()
for name in names:
    importlib.import_module(name)
seconds = time.perf_counter() - begun
print(json.dumps({"seconds": seconds, "sdks": [one for one in sdks if one in sys.modules]}))
"""


async def import_time(running: RunningCloud, sizes: Sizes) -> Findings:
    """Measure each app, and the sender from a package that has no byte code of its own."""
    figures = {}
    for app in _APPS:
        environment = await running.environment(app)
        # It also writes the byte code, where there is none yet.
        used = (await _import(["function_app"], environment, ROOT))["sdks"]
        ours, sdks = await _best(sizes.imports, environment, ROOT, ["function_app"], used)
        figures[f"import {app}"] = Figure(ours / sdks, f"{ours:.2f} s beside {sdks:.2f} s")
    figures["import read-only"] = await _read_only(running, sizes)
    return Findings(figures)


async def _read_only(running: RunningCloud, sizes: Sizes) -> Figure:
    """Compare the sender's import from a package without byte code of its own to one with it.

    The byte code of other packages is that of pip, which compiles what it installs.
    """
    environment = await running.environment("sender")
    with tempfile.TemporaryDirectory(prefix="relay-package-") as name:
        package = Path(name)
        shutil.copy(ROOT / "function_app.py", package)
        shutil.copytree(
            ROOT / "shared", package / "shared", ignore=shutil.ignore_patterns("__pycache__")
        )
        without = {**environment, "PYTHONDONTWRITEBYTECODE": "1"}
        (bare,) = await _best(sizes.imports, without, package, ["function_app"])
        await _import(["function_app"], environment, package)
        (compiled,) = await _best(sizes.imports, environment, package, ["function_app"])
    return Figure(bare / compiled, f"{bare:.2f} s beside {compiled:.2f} s")


async def _best(
    times: int, environment: Mapping[str, str], folder: Path, *modules: Sequence[str]
) -> list[float]:
    """Return the shortest time of each list of modules, imported in turns."""
    best = [float("inf")] * len(modules)
    for _ in range(times):
        for number, names in enumerate(modules):
            seconds = float((await _import(names, environment, folder))["seconds"])
            best[number] = min(best[number], seconds)
    return best


async def _import(names: Sequence[str], environment: Mapping[str, str], folder: Path) -> Any:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", _PROGRAM, json.dumps(names), json.dumps(_SDKS)),
        cwd=folder,
        env=dict(environment),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, err = await process.communicate()
    if process.returncode:
        raise BenchError(f"importing {', '.join(names)} failed: {err.decode()[-500:]}")
    return json.loads(out)
