"""The Bicep compiler: what it makes of sources and parameter files."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, cast

from checks.snapshot import Snapshot
from local.deployment.bicep import SUBSCRIPTION, TENANT

PLACE = (f"--subscription-id={SUBSCRIPTION}", f"--tenant-id={TENANT}")
SOURCES = "**/*.bicep*"


class InfraError(Exception):
    """The infrastructure cannot be compiled or is not as it should be; the message lists where."""


def compiler() -> str | None:
    """Find the Bicep CLI."""
    return shutil.which("bicep")


def run(folder: Path, bicep: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the compiler in a folder."""
    return subprocess.run(  # noqa: S603 - the user's own compiler, no shell
        [bicep, *arguments], cwd=folder, capture_output=True, text=True, check=False
    )


def succeed(folder: Path, bicep: str, *arguments: str) -> str:
    """Run the compiler and return what it wrote, or raise `InfraError`."""
    done = run(folder, bicep, *arguments)
    if done.returncode != 0:
        raise InfraError(f"bicep {' '.join(arguments[:2])}\n{done.stderr.strip()}")
    return done.stdout


def template(folder: Path, bicep: str) -> dict[str, Any]:
    """Compile `main.bicep` of a folder, or raise `InfraError`."""
    compiled = succeed(folder, bicep, "build", "main.bicep", "--stdout")
    return cast("dict[str, Any]", json.loads(compiled))


def evaluated(folder: Path, bicep: str) -> dict[str, Snapshot]:
    """Evaluate every parameter file of a folder, a copy that may be written to, by its name.

    Raises `InfraError`.
    """
    # Once for all: the compiler takes longer to compile the sources than to evaluate them.
    succeed(folder, bicep, "build", "main.bicep")
    files = sorted(folder.glob("*.bicepparam"))
    for file in files:
        text = file.read_text(encoding="utf-8")
        file.write_text(text.replace("'main.bicep'", "'main.json'"), encoding="utf-8")

    def one(file: Path) -> Snapshot:
        succeed(folder, bicep, "snapshot", file.name, "--mode=overwrite", *PLACE)
        made = file.with_suffix(".snapshot.json").read_text(encoding="utf-8")
        return cast("Snapshot", json.loads(made))

    # The compiler works on one processor.
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        return {file.stem: made for file, made in zip(files, pool.map(one, files), strict=True)}


def write_parameters(file: Path, base: str, parameters: Mapping[str, Any]) -> None:
    """Write a parameter file that has those of `base`, the text of another, and some more."""
    lines = [base]
    for name, value in parameters.items():
        text = json.dumps(value).replace("\\", "\\\\").replace("'", "\\'")
        lines.append(f"param {name} = json('{text}')\n")
    file.write_text("".join(lines), encoding="utf-8")
