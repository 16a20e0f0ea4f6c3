"""Whether the database has connections for all that can ask: `python -m checks.connections`.

Flex Consumption counts instances for each group of functions: all with HTTP are one group, any
function of Service Bus is one of its own, and `maximumInstanceCount` holds for each group
(Azure/azure-rest-api-specs 45083). Each instance has a pool of connections.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path

from checks import snapshot
from checks.infra import INFRA
from checks.resource_types import DATABASE, SITE
from checks.snapshot import PredictedResource, Snapshot, at, of_type, place
from local.deployment.resource_id import last, parent
from local.resource_manager.expressions import Reference, UnknownExpressionError, parse
from shared.ledger.engine import POOL_SIZE

_ROOT = Path(__file__).resolve().parents[1]

RESERVED = 15
"""Connections that Azure keeps for replication and monitoring."""

FOR_PEOPLE = 5
"""Connections left for the migration and for operators."""

_KEEPS_THE_LEDGER = "RELAY_SECRET_DATABASE_CONNECTION"
_UNLIMITED = 100  # instances of a group, where a deployment sets no limit
_SHARED_GROUPS = {"httpTrigger": "http", "blobTrigger": "blob", "orchestrationTrigger": "durable"}
_SHARED_GROUPS |= {"activityTrigger": "durable", "entityTrigger": "durable"}

# All connections by the size of the compute (learn.microsoft.com, Limits in Azure Database for
# PostgreSQL flexible server, Maximum connections).
_OF_BURSTABLE = {
    "B1ms": 50,
    "B2s": 429,
    "B2ms": 859,
    "B4ms": 1718,
    "B8ms": 3437,
    "B12ms": 5000,
    "B16ms": 5000,
    "B20ms": 5000,
}
_OF_CORES = {
    "D": {2: 859, 4: 1718, 8: 3437, 16: 5000, 32: 5000, 48: 5000, 64: 5000, 96: 5000},
    "E": {2: 1718, 4: 3437, 8: 5000, 16: 5000, 20: 5000, 32: 5000, 48: 5000, 64: 5000, 96: 5000},
}
_SIZED_BY_CORES = re.compile(r"([DE])(\d+)(?:s_v3|ds_v4|ds_v5|ads_v5)", re.IGNORECASE)

# With a wrong setting, an app has one function only, which reports it: that does not count here.
_PROGRAM = """
import json, os
from shared.settings import environment
environment.load(os.environ)
import function_app
functions = function_app.app.get_functions()
print(json.dumps({f.get_function_name(): f.get_trigger().type for f in functions}))
"""


class FunctionsError(Exception):
    """The functions of an app cannot be indexed."""


def connections(sku: str) -> int | None:
    """Return how many connections a size of compute has in all; None for an unknown one."""
    name = sku.lower().removeprefix("standard_")
    for known, count in _OF_BURSTABLE.items():
        if known.lower() == name:
            return count
    found = _SIZED_BY_CORES.fullmatch(name)
    return _OF_CORES[found[1].upper()].get(int(found[2])) if found else None


def overruns(deployment: Snapshot) -> Iterator[str]:
    """Name each database that has fewer connections than the instances of apps can ask for."""
    try:
        wanted = dict(_wanted(deployment))
    except FunctionsError as error:
        yield f"{error}"
        return
    for server in of_type(deployment, DATABASE):
        here, sku = place(deployment, server["id"]), str(server.get("sku", {}).get("name"))
        there = _set(deployment, server) or connections(sku)
        if there is None:
            yield f"{here} is of size {sku}, whose number of connections is unknown"
            continue
        room = there - RESERVED - FOR_PEOPLE
        if sum(wanted.values()) > room:
            parts = " and ".join(f"{count} of {what}" for what, count in wanted.items())
            yield (
                f"{here} ({sku}) has {room} connections for apps, which can ask for "
                f"{sum(wanted.values())}: {parts}"
            )


def _wanted(deployment: Snapshot) -> Iterator[tuple[str, int]]:
    """Return how many connections each group of functions can ask for."""
    for site in of_type(deployment, SITE):
        settings = {s["name"]: s["value"] for s in at(site, "siteConfig.appSettings") or []}
        if _KEEPS_THE_LEDGER not in settings:
            continue
        here = place(deployment, site["id"])
        for group in groups(here, settings):
            instances = _instances(site, group)
            yield f"{here} ({group}: {instances} x {POOL_SIZE})", instances * POOL_SIZE


def _instances(site: PredictedResource, group: str) -> int:
    """Count what a group can have: as many as it scales to, and those that are always ready."""
    scale = at(site, "functionAppConfig.scaleAndConcurrency") or {}
    ready = [one for one in scale.get("alwaysReady") or [] if one.get("name") == group]
    most = scale.get("maximumInstanceCount") or _UNLIMITED
    return int(most) + sum(int(one.get("instanceCount", 0)) for one in ready)


def _set(deployment: Snapshot, server: PredictedResource) -> int | None:
    """Return the connections that the deployment sets instead of what comes with the size."""
    wanted = f"{server['id']}/configurations/max_connections".lower()
    for setting in of_type(deployment, f"{DATABASE}/configurations"):
        if setting["id"].lower() == wanted and f"{at(setting, 'value')}".isdigit():
            return int(at(setting, "value"))
    return None


def groups(app: str, settings: Mapping[str, str]) -> list[str]:
    """Return the groups that the functions of an app scale in, as its code has them.

    `settings` are those of the deployment. Raises `FunctionsError`.
    """
    answered = {name: _answered(value) for name, value in settings.items()}
    functions = _functions(app, tuple(sorted(answered.items())))
    return sorted({_SHARED_GROUPS.get(kind, f"function:{name}") for name, kind in functions})


@cache
def _functions(app: str, settings: tuple[tuple[str, str], ...]) -> tuple[tuple[str, str], ...]:
    run = subprocess.run(  # noqa: S603 - this Python, no shell
        [sys.executable, "-c", _PROGRAM],
        cwd=_ROOT,
        env=dict(settings),
        capture_output=True,
        text=True,
        check=False,
    )
    if run.returncode:
        why = (run.stderr.strip().splitlines() or ["no message"])[-1].strip()
        raise FunctionsError(f"{app}: its functions cannot be indexed: {why}")
    return tuple(json.loads(run.stdout).items())


def _answered(value: str) -> str:
    """Return a setting as Azure would, with made-up values for what only Azure knows."""
    try:
        expression = parse(value)
    except UnknownExpressionError:
        return ""
    if not isinstance(expression, Reference):
        return value
    if expression.path in ("keyUri", "secretUri"):
        kind = "keys" if expression.path == "keyUri" else "secrets"
        vault = last(parent(expression.resource_id))
        return f"https://{vault}.vault.azure.net/{kind}/{last(expression.resource_id)}"
    if expression.path.lower().endswith("connectionstring"):
        return ""  # nothing is to be sent anywhere from here
    return "00000000-0000-4000-8000-000000000000"


def main() -> int:
    """Compute it for every snapshot; return 1 if one has too few."""
    paths = sorted(INFRA.glob("*.snapshot.json"))
    problems = [
        f"connections: {path.name}: {problem}\n"
        for path in paths
        for problem in overruns(snapshot.load(path))
    ]
    if problems:
        sys.stderr.write("".join(problems))
        return 1
    print(f"connections: enough in {len(paths)} deployments")
    return 0


if __name__ == "__main__":
    sys.exit(main())
