"""What Azure would refuse of each deployment, at first and done again: `python -m checks.azure`.

The rules are those that the local cloud refuses by (`local/resource_manager/`). Where the compiler
is on the PATH, each deployment is also evaluated a second time, by another clock and with other
operators, and laid over what the first has become after a year of use.
"""

from __future__ import annotations

import json
import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from checks.compiler import InfraError, compiler, evaluated
from checks.infra import INFRA
from checks.snapshot import Snapshot
from checks.waivers import report
from local.resource_manager import preflight, update
from local.resource_manager.existing import after_a_year
from local.resource_manager.template import Template

# What a real deployment has from the clock and from the directory, and another one has otherwise.
# The parameter files have it from nobody.bicep.
_OTHERWISE = (
    ("var expiry = 4000000000", "var expiry = 3999913600"),
    ("00000000-0000-4000-8000-0000000001", "00000000-0000-4000-8000-0000000002"),
)


def problems(snapshot: object) -> Iterator[str]:
    """Name what Azure would refuse of a snapshot, at first and after a year."""
    yield from (f"{refusal}" for refusal in preflight.refusals(snapshot))
    later = (f"{refusal}" for refusal in update.blockers_later(snapshot))
    yield from (f"deployed again after a year of use: {refusal}" for refusal in later)


def problems_again(snapshot: object, again: object) -> Iterator[str]:
    """Name what Azure would refuse of a second evaluation over the first, a year later."""
    for refusal in update.blockers(after_a_year(Template(snapshot)), again):
        yield f"evaluated again by another clock: {refusal}"


def evaluated_again(folder: Path, bicep: str) -> dict[str, Snapshot]:
    """Evaluate every deployment of a folder again by another clock; return them by name.

    Raises `InfraError`.
    """
    with tempfile.TemporaryDirectory() as temporary:
        copied = Path(shutil.copytree(folder, Path(temporary) / folder.name))
        _another_day(copied / "nobody.bicep")
        return evaluated(copied, bicep)


def _another_day(source: Path) -> None:
    text = source.read_text(encoding="utf-8")
    for now, then in _OTHERWISE:
        if now not in text:
            raise InfraError(f"{source.name} lacks {now}, which is to be replaced")
        text = text.replace(now, then)
    source.write_text(text, encoding="utf-8")


def _all(folder: Path, bicep: str | None) -> Iterator[str]:
    snapshots = {
        path.name.removesuffix(".snapshot.json"): json.loads(path.read_text(encoding="utf-8"))
        for path in sorted(folder.glob("*.snapshot.json"))
    }
    for name, snapshot in snapshots.items():
        yield from (f"{name}: {problem}" for problem in problems(snapshot))
    if bicep:
        for name, again in evaluated_again(folder, bicep).items():
            found = problems_again(snapshots.get(name), again)
            yield from (f"{name}: {problem}" for problem in found)


def main(folder: Path = INFRA) -> int:
    """Judge every deployment; 1 if Azure would refuse anything of it."""
    bicep = compiler()
    count = len(list(folder.glob("*.snapshot.json")))
    clock = "evaluated again by another clock" if bicep else "once only, no bicep on the PATH"
    summary = (
        f"{len(preflight.RULES)} rules of a first deployment and {len(update.RULES)} of a second, "
        f"{count} deployments, {clock}"
    )
    try:
        return report("azure", _all(folder, bicep), summary)
    except InfraError as error:
        return report("azure", [f"{error}"], summary)


if __name__ == "__main__":
    sys.exit(main())
