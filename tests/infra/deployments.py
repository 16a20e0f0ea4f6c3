"""Snapshots to plant mistakes in, each read once and copied for each use."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any, cast

from checks.access import load as load_access
from checks.infra import judged
from checks.snapshot import PredictedResource, Snapshot

INFRA = Path(__file__).resolve().parents[2] / "infra"
ACCESS = load_access(INFRA / "access.json")


@cache
def _text(name: str) -> str:
    return (INFRA / f"{name}.snapshot.json").read_text(encoding="utf-8")


def snapshot(name: str) -> Snapshot:
    return cast("Snapshot", json.loads(_text(name)))


def the(made: Snapshot, kind: str, part: str = "") -> PredictedResource:
    """The first resource of a type whose name has a part."""
    return next(
        resource
        for resource in made["predictedResources"]
        if resource["type"] == kind and part in resource["name"]
    )


def put(resource: PredictedResource, path: str, value: object) -> None:
    """Set what is at a path, in objects that are made where there are none; None takes it away."""
    *steps, last = path.split(".")
    at: Any = resource
    for step in steps:
        at = at[int(step)] if step.isdigit() else at.setdefault(step, {})
    if isinstance(at, list):
        if value is None:
            del at[int(last)]
        else:
            at[int(last) :] = [value]
    elif value is None:
        del at[last]
    else:
        at[last] = value


def problems(made: Snapshot, name: str) -> list[str]:
    return judged(ACCESS, made, name)
