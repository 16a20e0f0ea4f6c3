"""What Azure would refuse of each deployment, at first and done again: `python -m checks.azure`.

The rules are those that the local cloud refuses by (`local/resource_manager/`). Where the compiler
is on the PATH, each deployment is also evaluated a second time, by another clock, and laid over
what the first has become after a year of use.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import sys
import tempfile
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from checks.accepted import told
from checks.infra import INFRA, InfraError, compiled, compiler, evaluated
from local.resource_manager import first, second
from local.resource_manager.standing import a_year_later
from local.resource_manager.template import MADE_ONCE, Template, items, member, members

# A property of every resource that neither we nor Azure have a use for: it shows in a snapshot
# what `bicep snapshot` leaves out, the decorator @onlyIfNotExists().
_MARK = ("managedBy", "onlyIfNotExists")
# What follows the clock in Azure, and is fixed in the parameter files.
_CLOCK = re.compile(r"^param expiry = (.*)$", re.MULTILINE)
_EARLIER = r"param expiry = \1 - 86400"

Json = dict[str, Any]


def problems(snapshot: object) -> Iterator[str]:
    """Name what Azure would refuse of a snapshot, at first and after a year."""
    yield from (f"{refusal}" for refusal in first.refusals(snapshot))
    later = (f"{refusal}" for refusal in second.blockers_later(snapshot))
    yield from (f"deployed again after a year of use: {refusal}" for refusal in later)


def problems_again(snapshot: object, again: object) -> Iterator[str]:
    """Name what Azure would refuse of a second evaluation over the first, a year later.

    `again` is that of the template which `marked` makes; the output that lists what is made once
    is held to the marks in it.
    """
    yield from _unsaid(again)
    plain = _unmarked(again)
    for refusal in second.blockers(a_year_later(Template(snapshot)), plain):
        yield f"evaluated again by another clock: {refusal}"


def _unsaid(again: object) -> Iterator[str]:
    listed = items(member(again, "predictedResources"))
    marked = {str(one.get("id")) for one in listed if one.get(_MARK[0]) == _MARK[1]}
    said = set(map(str, items(member(member(again, "outputs"), MADE_ONCE))))
    there = {str(one.get("id")) for one in listed}
    for one in sorted(marked - said):
        yield f"{one}: has @onlyIfNotExists(), which the output {MADE_ONCE} does not say"
    for one in sorted((said & there) - marked):
        yield f"{one}: has no @onlyIfNotExists(), which the output {MADE_ONCE} says of it"
    for one in sorted(said - there):
        yield f"{one}: is not deployed, and the output {MADE_ONCE} says that it is made once"


def _unmarked(again: object) -> object:
    listed = items(member(again, "predictedResources"))
    name, _ = _MARK
    plain = [{key: value for key, value in one.items() if key != name} for one in listed]
    return {**members(again), "predictedResources": plain}


def marked(template: Json) -> Json:
    """Mark each resource of a compiled template that has the decorator, modules' among them."""
    resources = template.get("resources", [])
    for resource in resources.values() if isinstance(resources, Mapping) else resources:
        if "onlyIfNotExists" in members(resource.get("@options")):
            resource[_MARK[0]] = _MARK[1]
        inner = member(resource.get("properties"), "template")
        if resource.get("type") == "Microsoft.Resources/deployments" and isinstance(inner, dict):
            marked(inner)
    return template


def evaluated_again(folder: Path, bicep: str) -> dict[str, object]:
    """Evaluate every deployment of a folder anew, by a clock of another day; give them by name.

    Raises `InfraError`.
    """
    with tempfile.TemporaryDirectory() as temporary:
        copied = Path(shutil.copytree(folder, Path(temporary) / folder.name))
        template = compiled(copied, bicep, copied / "main.bicep")
        if not isinstance(template, dict):
            raise InfraError("main.bicep compiles to no template")
        (copied / "main.json").write_text(json.dumps(marked(template)), encoding="utf-8")
        parameters = sorted(copied.glob("*.bicepparam"))
        for one in parameters:
            text = one.read_text(encoding="utf-8").replace(
                "using 'main.bicep'", "using 'main.json'"
            )
            one.write_text(_CLOCK.sub(_EARLIER, text), encoding="utf-8")
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            made = pool.map(lambda one: evaluated(copied, bicep, one), parameters)
            return {one.stem: found for one, found in zip(parameters, made, strict=True)}


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
        f"{len(first.RULES)} rules of a first deployment and {len(second.RULES)} of a second, "
        f"{count} deployments, {clock}"
    )
    try:
        return told("azure", _all(folder, bicep), summary)
    except InfraError as error:
        return told("azure", [f"{error}"], summary)


if __name__ == "__main__":
    sys.exit(main())
