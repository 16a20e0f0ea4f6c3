"""Faults planted in the evaluated deployments of `infra/`, by the end of an id and a path."""

from __future__ import annotations

import copy
import functools
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from local.resource_manager.existing import ExistingDeployment
from local.resource_manager.refusal import Refusal
from local.resource_manager.template import Template

INFRA = Path(__file__).parents[4] / "infra"
SNAPSHOTS = sorted(path.name for path in INFRA.glob("*.snapshot.json"))


class _Gone:
    """What stands for a property that is taken away."""

    def __repr__(self) -> str:
        return "gone"


GONE = _Gone()

Json = dict[str, Any]
SENDER = "sites/relay-sender-local"
VAULT = "vaults/payload-local"
KEY = "vaults/payload-local/keys/payload"
SECRET = "secrets/partner-connection"
BUS = "namespaces/relay-local"
QUEUE = "queues/messages"
SERVER = "flexibleServers/relay-local"
ACCOUNT = "storageAccounts/senderlocal"
CONTAINER = "senderlocal/blobServices/default/containers/packages"
PLAN = "serverfarms/sender-local"
POLICY = "sites/relay-sender-local/basicPublishingCredentialsPolicies/ftp"
IDENTITY = "userAssignedIdentities/encrypt-local"


@dataclass(frozen=True)
class Planted:
    """A fault: in which resource, at which path, what stands there, and Azure's code for it.

    `reported` is where the refusal points, if elsewhere; a path that starts with `/` starts in the
    resource, any other in its properties.
    """

    ending: str
    path: str
    value: object
    code: str
    reported: str | None = None

    def __str__(self) -> str:
        return f"{self.ending.rpartition('/')[2]} {self.path}={str(self.value)[:30]}"

    @property
    def place(self) -> str:
        """Where the refusal points to."""
        return self.path.removeprefix("/") if self.reported is None else self.reported

    def planted(self, document: Json) -> Json:
        """Return the snapshot with the fault in it; the rest is shared with `document`."""
        made, changed = changed_apart(document, self.ending)
        put(changed, self.path, self.value)
        return made


@functools.cache
def _read(name: str) -> str:
    return (INFRA / name).read_text(encoding="utf-8")


def snapshot(name: str = "local.snapshot.json") -> Json:
    """Read one of the deployments of `infra/`."""
    document: Json = json.loads(_read(name))
    return document


def resource(document: Json, ending: str) -> Json:
    """Give the one resource whose id ends so."""
    found: list[Json] = [
        one for one in document["predictedResources"] if one["id"].endswith(f"/{ending}")
    ]
    assert len(found) == 1, (ending, len(found))
    return found[0]


def changed_apart(document: Json, ending: str) -> tuple[Json, Json]:
    """Return the snapshot, and the resource whose id ends so: that one is a copy, to be changed.

    To copy a whole snapshot takes longer than to judge it.
    """
    found = resource(document, ending)
    changed = copy.deepcopy(found)
    resources = [changed if one is found else one for one in document["predictedResources"]]
    return {**document, "predictedResources": resources}, changed


def put(body: Json, path: str, value: object) -> None:
    """Put a value at a path; `GONE` takes away what stands there."""
    *steps, last = path.removeprefix("/").split(".")
    at = body if path.startswith("/") else body.setdefault("properties", {})
    for step in steps:
        at = at.setdefault(step, {})
    if value is GONE:
        at.pop(last, None)
    else:
        at[last] = copy.deepcopy(value)


def setting(document: Json, name: str, value: str = "x", ending: str = SENDER) -> Json:
    """Return the snapshot with one more setting of an app."""
    made, changed = changed_apart(document, ending)
    changed["properties"]["siteConfig"]["appSettings"].append({"name": name, "value": value})
    return made


def add(document: Json, *resources: Json) -> Json:
    """Return the snapshot with more resources."""
    more = copy.deepcopy(list(resources))
    return {**document, "predictedResources": [*document["predictedResources"], *more]}


def another(document: Json, ending: str, change: Callable[[Json], None]) -> Json:
    """Return the snapshot with one more resource, which is another one changed."""
    one = copy.deepcopy(resource(document, ending))
    change(one)
    return add(document, one)


def existing(document: Json, **more: Any) -> ExistingDeployment:
    """Return a snapshot as what exists already."""
    return ExistingDeployment(Template(document), **more)


def places(found: list[Refusal]) -> list[tuple[str, str]]:
    """Return of each refusal where it points to, and Azure's code for it."""
    return [(one.path, one.code) for one in found]
