"""A deployment as the Bicep compiler evaluated it, in the terms of the declaration."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any, TypedDict, cast

from local.resource_manager.expressions import Reference, UnknownExpressionError, parse

SUFFIX = "local"
"""What the names in the snapshots end with (`suffix` in the parameter files)."""


class PredictedResource(TypedDict, total=False):
    """A resource; what its properties are depends on its type, so they are left as JSON."""

    id: str
    type: str
    name: str
    identity: dict[str, Any]
    sku: dict[str, Any]
    properties: dict[str, Any]


class Snapshot(TypedDict):
    """What `bicep snapshot` writes."""

    predictedResources: list[PredictedResource]
    outputs: dict[str, Any]


def load(path: Path) -> Snapshot:
    """Read a snapshot file."""
    return cast("Snapshot", json.loads(path.read_text(encoding="utf-8")))


def of_type(snapshot: Snapshot, kind: str) -> list[PredictedResource]:
    """Return the resources of one type, in the snapshot's order."""
    return [r for r in snapshot["predictedResources"] if r["type"].lower() == kind.lower()]


def properties(resource: PredictedResource) -> dict[str, Any]:
    """Return a resource's properties, none if it has none."""
    return resource.get("properties", {})


def at(resource: PredictedResource, path: str) -> Any:
    """Return the property at a path such as `siteConfig.minTlsVersion`, or None."""
    found: Any = properties(resource)
    for name in path.split("."):
        found = found.get(name) if isinstance(found, dict) else None
    return found


_GROUP = re.compile(r"/subscriptions/[^/]+/resourcegroups/[^/]+")
_NAMES = (
    (
        re.compile(rf"microsoft\.managedidentity/userassignedidentities/([^/]+)-{SUFFIX}(/.+)?"),
        "identities",
    ),
    (re.compile(rf"microsoft\.keyvault/vaults/([^/]+)-{SUFFIX}(/.+)?"), "vaults"),
    (re.compile(rf"microsoft\.servicebus/namespaces/(relay)-{SUFFIX}(/.+)?"), "bus"),
    (re.compile(rf"microsoft\.web/sites/relay-([^/]+)-{SUFFIX}(/.+)?"), "apps"),
    (
        re.compile(rf"microsoft\.compute/virtualmachines/relay-([^/]+)-{SUFFIX}(/.+)?"),
        "machines",
    ),
    (re.compile(rf"microsoft\.storage/storageaccounts/([^/]+){SUFFIX}(/.+)?"), "storages"),
    (re.compile(rf"microsoft\.insights/components/(relay)-{SUFFIX}(/.+)?"), "telemetry"),
    (
        re.compile(rf"microsoft\.dbforpostgresql/flexibleservers/(relay)-{SUFFIX}(/.+)?"),
        "databases",
    ),
)


def place(snapshot: Snapshot, resource_id: str) -> str:
    """Name a resource as the declaration does, such as `vaults/payload/keys/payload`.

    A queue is `bus/relay/queues/messages`; the resource group is `group`, what it lies in
    `subscription`. What the declaration has no name for keeps its id.
    """
    given = resource_id.lower()
    group = _group(snapshot)
    inside = f"{group}/providers/"
    if given == group:
        return "group"
    if given == group.partition("/resourcegroups/")[0]:
        return "subscription"
    if not given.startswith(inside):
        return resource_id
    for pattern, family in _NAMES:
        if match := pattern.fullmatch(given.removeprefix(inside)):
            return family + "/" + "".join(part for part in match.groups() if part)
    return resource_id[len(inside) :]


def _group(snapshot: Snapshot) -> str:
    kind = "microsoft.resources/resourcegroups"
    ids = (r["id"].lower() for r in snapshot["predictedResources"] if r["type"].lower() == kind)
    return next(ids, "")


def render(snapshot: Snapshot, value: str) -> str:
    """Write a value that exists only at run time as `clientId of identities/decrypt`."""
    try:
        expression = parse(value)
    except UnknownExpressionError:
        return value
    if isinstance(expression, Reference):
        return f"{expression.path} of {place(snapshot, expression.resource_id)}"
    return value


def operators(snapshot: Snapshot) -> dict[str, list[str]]:
    """Return the principal ids of each operator, from the outputs."""
    return cast("dict[str, list[str]]", snapshot["outputs"].get("operators", {}))
