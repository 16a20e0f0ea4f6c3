"""What a user of native Windows is shown, where modules of POSIX do not exist."""

from __future__ import annotations

import subprocess
import sys

import pytest

from local.cli.platforms import WINDOWS
from local.net.folder import ROOT

PROGRAM = """
import asyncio, runpy, ssl, sys
for name in ("fcntl", "grp", "pwd", "resource", "termios"):
    sys.modules[name] = None
module, *arguments = sys.argv[1:]
sys.argv = [module, *arguments]
sys.platform = "win32"
runpy.run_module(module, run_name="__main__")
"""


def on_windows(*command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", PROGRAM, *command],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize("arguments", [("up",), ("status",), ("--help",), ()])
def test_the_local_cloud_says_in_one_sentence_where_it_runs(arguments: tuple[str, ...]) -> None:
    done = on_windows("local", *arguments)
    assert (done.returncode, done.stdout, done.stderr) == (1, "", f"error: {WINDOWS}\n")


OPERATOR = """
import shutil, sys
for name in ("fcntl", "grp", "pwd", "resource", "termios"):
    sys.modules[name] = None
import ops.access_audit_command, ops.cli, ops.records_command, ops.running
sys.platform = "win32"
sys.exit(ops.cli.main(sys.argv[1:]))
"""


@pytest.mark.parametrize("command", ["rejected", "retries", "prove", "migrate", "secrets"])
def test_an_operator_of_azure_is_refused_the_local_cloud_alone(command: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", OPERATOR, command, "--local"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert done.stderr.endswith(f": error: {WINDOWS}\n")
    assert "Traceback" not in done.stderr
