"""The package as Azure's build lays it out: its files, and beside them what its lock names.

The build installs `requirements.txt` into `.python_packages/lib/site-packages` of the package, and
the worker looks for modules there and in the folder of the package.
"""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest
from packaging.utils import canonicalize_name

from checks import package
from checks.lock_files import read_lock

PACKAGES = Path(".python_packages/lib/site-packages")
_PIP = (sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check")
WORKER = ("azure-functions-runtime", "azurefunctions-extensions-base")
"""The worker's own library, which Azure has beside the package; for Python 3.13 and newer."""


def installed(factory: pytest.TempPathFactory) -> Path:
    """Give the folder of the package, installed once for all tests of a run: change nothing in it.

    `factory` is the session's `tmp_path_factory`. Takes about half a minute the first time.
    """
    # Each of pytest-xdist's processes has a folder of its own in that of the run.
    shared = factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        shared = shared.parent
    folder, done = shared / "package", shared / "package.installed"
    with (shared / "package.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not done.exists():
            package.copy(folder)
            install(folder / "requirements.txt", folder / PACKAGES)
            done.touch()
    return folder


def install(lock: Path, target: Path) -> None:
    """Install what a lock names, and nothing else, into a folder. Fails with what pip says."""
    run = subprocess.run(
        [*_PIP, "--require-hashes", "--target", str(target), "--requirement", str(lock)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stderr


def install_worker(target: Path) -> None:
    """Install the worker's library alone into a folder, as `requirements-local.txt` has it."""
    entries = [
        entry
        for entry in read_lock(package.ROOT / "requirements-local.txt")
        if entry.name in {canonicalize_name(name) for name in WORKER}
    ]
    lock = target.with_suffix(".txt")
    lock.write_text(
        "".join(
            f"{entry} {' '.join(f'--hash={value}' for value in sorted(entry.hashes))}\n"
            for entry in entries
        )
    )
    # What it needs beside, azure-functions, comes from the package, as in Azure.
    install(lock, target)


def run(
    folder: Path, *arguments: str, environment: Mapping[str, str] = {}, worker: Path | None = None
) -> subprocess.CompletedProcess[str]:
    """Run Python in the folder of an installed package, with nothing of this environment's.

    `worker` is a folder of `install_worker`, searched before the package as in Azure.
    """
    paths = [*([worker] if worker else []), folder / PACKAGES]
    return subprocess.run(
        # -S: no site-packages of the environment that runs the tests.
        [sys.executable, "-S", *arguments],
        cwd=folder,
        env={
            "PYTHONPATH": os.pathsep.join(map(str, paths)),
            "PYTHONDONTWRITEBYTECODE": "1",
            **environment,
        },
        capture_output=True,
        text=True,
        check=False,
    )
