"""Make and check what the Bicep compiler makes of `infra/` (`make infra`, `make check`)."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from checks import access, once, snapshot
from checks.differences import differences
from checks.variants import mismatches

INFRA = Path(__file__).resolve().parents[1] / "infra"

# Fixed and nobody's, so that a snapshot is the same wherever it is made.
_PLACE = (
    "--subscription-id=00000000-0000-4000-8000-000000000001",
    "--tenant-id=00000000-0000-4000-8000-000000000002",
)


_SOURCES = "**/*.bicep*"


class InfraError(Exception):
    """The infrastructure cannot be made or is not as it should be; the message lists where."""


def build(folder: Path) -> None:
    """Format the sources in a folder and write its snapshots, or raise `InfraError`."""
    bicep = compiler()
    if bicep is None:
        raise InfraError("no bicep on the PATH: install the Bicep CLI, then run this again")
    access.load(folder / "access.json")
    _succeed(folder, bicep, "format", f"--pattern={_SOURCES}")
    for parameters in _parameters(folder):
        _succeed(folder, bicep, "snapshot", parameters.name, "--mode=overwrite", *_PLACE)
        _in_order(parameters.with_suffix(".snapshot.json"))
    _demand([*_departures(folder), *_decorators(bicep, folder)])


def _in_order(path: Path) -> None:
    """Put the outputs of a snapshot in order: the compiler writes them in another one each time."""
    made = json.loads(path.read_text(encoding="utf-8"))
    made["outputs"] = dict(sorted(made["outputs"].items()))
    path.write_text(json.dumps(made, indent=2, ensure_ascii=False), encoding="utf-8")


def check(folder: Path) -> bool:
    """Raise `InfraError` unless sources and snapshots agree and are clean.

    Give false where no compiler is there to tell: only the snapshots were held to the declaration.
    """
    _demand(_departures(folder))
    bicep = compiler()
    if bicep is None:
        return False
    checks = (_unformatted, _warnings, _decorators, _outdated)
    _demand([problem for check in checks for problem in check(bicep, folder)])
    return True


def compiler() -> str | None:
    """Find the Bicep CLI."""
    return shutil.which("bicep")


def evaluated(folder: Path, bicep: str, parameters: Path) -> object:
    """Evaluate a parameter file of a folder and give its snapshot, or raise `InfraError`."""
    _succeed(folder, bicep, "snapshot", parameters.name, "--mode=overwrite", *_PLACE)
    return json.loads(parameters.with_suffix(".snapshot.json").read_text(encoding="utf-8"))


def compile_json(folder: Path, bicep: str, source: str) -> None:
    """Compile a source of a folder to a template beside it, or raise `InfraError`."""
    _succeed(folder, bicep, "build", source)


def _departures(folder: Path) -> Iterator[str]:
    declared = access.load(folder / "access.json")
    for parameters in _parameters(folder):
        path = parameters.with_suffix(".snapshot.json")
        if not path.exists():
            yield f"{path.name} is not there: run make infra"
            continue
        made = snapshot.load(path)
        for problem in (*differences(declared, made), *mismatches(parameters.stem, made)):
            yield f"{path.name}: {problem}"


def _unformatted(bicep: str, folder: Path) -> Iterator[str]:
    """Format a copy: one run for all sources, and none of them touched."""
    with tempfile.TemporaryDirectory() as temporary:
        copied = Path(shutil.copytree(folder, Path(temporary) / folder.name))
        _succeed(copied, bicep, "format", f"--pattern={_SOURCES}")
        for source in sorted(folder.glob(_SOURCES)):
            here = source.relative_to(folder)
            if source.read_bytes() != (copied / here).read_bytes():
                yield f"{here} is not formatted: run make infra"


def _warnings(bicep: str, folder: Path) -> Iterator[str]:
    """Lint; the compiler succeeds with warnings, so they are looked for."""
    told = _run(folder, bicep, "lint", "--pattern=*.bicepparam").stderr.splitlines()
    yield from sorted({line for line in told if re.search(r" : (Warning|Error) ", line)})


def _decorators(bicep: str, folder: Path) -> Iterator[str]:
    """Hold to their decorators what the snapshots say is made once."""
    compiled = _succeed(folder, bicep, "build", "main.bicep", "--stdout")
    yield from (f"main.bicep: {what}" for what in once.departures(json.loads(compiled)))


def _outdated(bicep: str, folder: Path) -> Iterator[str]:
    def validated(parameters: Path) -> subprocess.CompletedProcess[str]:
        return _run(folder, bicep, "snapshot", parameters.name, "--mode=validate", *_PLACE)

    # The compiler works on one processor and takes seconds for each deployment.
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        outcomes = list(pool.map(validated, _parameters(folder)))
    for parameters, done in zip(_parameters(folder), outcomes, strict=True):
        if done.returncode != 0:
            changes = re.sub(r"\x1b\[[0-9;]*m", "", done.stdout + done.stderr).strip()
            yield f"{parameters.name}: its snapshot is out of date, run make infra\n{changes}"


def _parameters(folder: Path) -> list[Path]:
    return sorted(folder.glob("*.bicepparam"))


def _run(folder: Path, bicep: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(  # noqa: S603 - the user's own compiler, no shell
        [bicep, *arguments], cwd=folder, capture_output=True, text=True, check=False
    )


def _succeed(folder: Path, bicep: str, *arguments: str) -> str:
    done = _run(folder, bicep, *arguments)
    if done.returncode != 0:
        raise InfraError(f"bicep {' '.join(arguments[:2])}\n{done.stderr.strip()}")
    return done.stdout


def _demand(problems: Iterator[str] | list[str]) -> None:
    if found := list(problems):
        raise InfraError("\n".join(found))


def main(arguments: list[str]) -> int:
    """Run one command; 0 for success or nothing to do, 1 for a problem, 2 for a wrong call."""
    try:
        if arguments == ["build"]:
            build(INFRA)
        elif arguments == ["check"]:
            if not check(INFRA):
                sys.stdout.write("infra: compiler checks skipped, no bicep on the PATH\n")
        else:
            sys.stderr.write("usage: python -m checks.infra build|check\n")
            return 2
    except (InfraError, access.AccessError) as problem:
        sys.stderr.write(f"infra: {problem}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
