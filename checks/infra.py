"""Make and check what the Bicep compiler makes of `infra/` (`make infra`, `make check`)."""

from __future__ import annotations

import json
import re
import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from checks import access, once, snapshot, template
from checks.compiler import (
    PLACE,
    SOURCES,
    InfraError,
    compiler,
    evaluated,
    run,
    succeed,
    write_parameters,
)
from checks.compiler import template as compile_template
from checks.declaration import Access
from checks.differences import differences
from checks.partner_limits import chosen_settings
from checks.properties import unexplained
from checks.property_rules import TableError
from checks.snapshot import Snapshot
from checks.variants import COMPILED, VARIANTS, parameters_of

INFRA = Path(__file__).resolve().parents[1] / "infra"
_CONFORMANCE = INFRA.parent / "tests" / "conformance"
CONFORMANCE = (
    _CONFORMANCE / "deployment",
    _CONFORMANCE / "strangers" / "orders",
    _CONFORMANCE / "strangers" / "web",
)
"""The deployments that the conformance tests run against; nothing of them is declared."""


def build(folder: Path) -> None:
    """Format the sources in a folder and write its snapshots, or raise `InfraError`."""
    bicep = compiler()
    if bicep is None:
        raise InfraError("no bicep on the PATH: install the Bicep CLI, then run this again")
    access.load(folder / "access.json")
    succeed(folder, bicep, "format", f"--pattern={SOURCES}")
    for parameters in _parameters(folder):
        succeed(folder, bicep, "snapshot", parameters.name, "--mode=overwrite", *PLACE)
        _in_order(parameters.with_suffix(".snapshot.json"))
    _demand([*_departures(folder), *_compiled(bicep, folder)])


def build_conformance(folder: Path) -> None:
    """Format a deployment of the conformance tests and write its snapshot."""
    bicep = compiler()
    if bicep is None:
        raise InfraError("no bicep on the PATH: install the Bicep CLI, then run this again")
    succeed(folder, bicep, "format", f"--pattern={SOURCES}")
    for parameters in _parameters(folder):
        succeed(
            folder, bicep, "snapshot", parameters.name, "--mode=overwrite", *PLACE, *_group(folder)
        )
        _in_order(parameters.with_suffix(".snapshot.json"))


def check_conformance(folder: Path) -> None:
    """Raise `InfraError` unless such a deployment and its snapshot agree and are clean."""
    if bicep := compiler():
        _demand([*_unformatted(bicep, folder), *_warnings(bicep, folder)])
        for parameters in _parameters(folder):
            validate = ("snapshot", parameters.name, "--mode=validate", *PLACE, *_group(folder))
            if run(folder, bicep, *validate).returncode != 0:
                raise InfraError(f"{folder.name}: its snapshot is out of date, run make infra")


def _group(folder: Path) -> tuple[str, ...]:
    """Return the option of the compiler that a deployment of a resource group takes."""
    text = (folder / "main.bicep").read_text(encoding="utf-8")
    return () if "targetScope = 'subscription'" in text else ("--resource-group=conformance",)


def _in_order(path: Path) -> None:
    """Put the outputs of a snapshot in order: the compiler writes them in another one each time."""
    made = json.loads(path.read_text(encoding="utf-8"))
    made["outputs"] = dict(sorted(made["outputs"].items()))
    path.write_text(json.dumps(made, indent=2, ensure_ascii=False), encoding="utf-8")


def check(folder: Path) -> bool:
    """Raise `InfraError` unless sources and snapshots agree and are clean.

    Return false where there is no compiler: then only the snapshots were judged.
    """
    _demand(_departures(folder))
    bicep = compiler()
    if bicep is None:
        return False
    checks = (_unformatted, _warnings, _compiled, _evaluated)
    _demand([problem for check in checks for problem in check(bicep, folder)])
    return True


def judged(declared: Access, made: Snapshot, name: str) -> list[str]:
    """Name what of a deployment is not declared, not explained or missing; none if all is well."""
    if name not in (*VARIANTS, *COMPILED):
        return [f"{name} is named after no variant: add its parameters to checks/variants.py"]
    parameters = parameters_of(name, declared)
    found = differences(declared, made, chosen_settings(declared, parameters))
    return [*map(str, found), *unexplained(declared, made, parameters)]


def _departures(folder: Path) -> Iterator[str]:
    declared = access.load(folder / "access.json")
    for parameters in _parameters(folder):
        path = parameters.with_suffix(".snapshot.json")
        if not path.exists():
            yield f"{path.name} does not exist: run make infra"
            continue
        for problem in judged(declared, snapshot.load(path), parameters.stem):
            yield f"{path.name}: {problem}"


def _unformatted(bicep: str, folder: Path) -> Iterator[str]:
    """Format a copy: one run for all sources, and none of them touched."""
    with tempfile.TemporaryDirectory() as temporary:
        copied = Path(shutil.copytree(folder, Path(temporary) / folder.name))
        succeed(copied, bicep, "format", f"--pattern={SOURCES}")
        for source in sorted(folder.glob(SOURCES)):
            here = source.relative_to(folder)
            if source.read_bytes() != (copied / here).read_bytes():
                yield f"{here} is not formatted: run make infra"


def _warnings(bicep: str, folder: Path) -> Iterator[str]:
    """Lint; the compiler succeeds with warnings, so they are looked for."""
    output = run(folder, bicep, "lint", "--pattern=*.bicepparam").stderr.splitlines()
    yield from sorted({line for line in output if re.search(r" : (Warning|Error) ", line)})


def _compiled(bicep: str, folder: Path) -> Iterator[str]:
    """Judge what no snapshot shows: decorators, parameters, and what happens with secrets."""
    compiled = compile_template(folder, bicep)
    azd = json.loads((folder / "main.parameters.json").read_text(encoding="utf-8"))
    yield from (f"main.bicep: {what}" for what in once.departures(compiled))
    yield from template.problems(compiled, azd)


def _evaluated(bicep: str, folder: Path) -> Iterator[str]:
    """Evaluate every deployment: those with a snapshot must be it, the others are judged, too."""
    declared = access.load(folder / "access.json")
    with tempfile.TemporaryDirectory() as temporary:
        copied = Path(shutil.copytree(folder, Path(temporary) / folder.name))
        base = copied / "local.bicepparam"
        for name, parameters in COMPILED.items() if base.exists() else ():
            text = base.read_text(encoding="utf-8")
            write_parameters(copied / f"{name}.bicepparam", text, parameters)
        made = evaluated(copied, bicep)
    for name, deployment in made.items():
        kept = folder / f"{name}.snapshot.json"
        if name in COMPILED:
            yield from (f"{name}: {problem}" for problem in judged(declared, deployment, name))
        elif kept.exists() and deployment != snapshot.load(kept):
            yield f"{name}.bicepparam: its snapshot is out of date, run make infra"


def _parameters(folder: Path) -> list[Path]:
    return sorted(folder.glob("*.bicepparam"))


def _demand(problems: Iterator[str] | list[str]) -> None:
    if found := list(problems):
        raise InfraError("\n".join(found))


def main(arguments: list[str]) -> int:
    """Run one command; 0 for success or nothing to do, 1 for a problem, 2 for a wrong call."""
    try:
        if arguments == ["build"]:
            build(INFRA)
            for folder in CONFORMANCE:
                build_conformance(folder)
        elif arguments == ["check"]:
            if not check(INFRA):
                sys.stdout.write("infra: compiler checks skipped, no bicep on the PATH\n")
            for folder in CONFORMANCE:
                check_conformance(folder)
        else:
            sys.stderr.write("usage: python -m checks.infra build|check\n")
            return 2
    except (InfraError, access.AccessError, TableError) as problem:
        sys.stderr.write(f"infra: {problem}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
