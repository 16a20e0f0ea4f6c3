"""`sbnet`, which uses Azure's client for .NET (Azure.Messaging.ServiceBus): each run a command."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Mapping
from typing import Any

import pytest

_SECONDS = 120


def sbnet() -> str:
    """Return where it is; the test is skipped where there is none and none is required."""
    found = shutil.which("sbnet")
    if found is None:
        if os.environ.get("SBNET_REQUIRED"):
            pytest.fail("sbnet, the .NET client, must be on the PATH")
        pytest.skip("no sbnet, the .NET client, on the PATH")
    return found


def run(environment: Mapping[str, str], *arguments: str) -> tuple[int, list[dict[str, Any]]]:
    """Run a command of the client; return its exit code and its findings."""
    done = subprocess.run(
        [sbnet(), *arguments],
        env={"PATH": os.environ["PATH"], "HOME": os.environ.get("HOME", "/")} | dict(environment),
        capture_output=True,
        text=True,
        timeout=_SECONDS,
        check=False,
    )
    found = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
    return done.returncode, found or [{"output": done.stdout + done.stderr}]
