"""Every departure of a machine from the declaration is named."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import pytest

from checks.access import load as load_access
from checks.differences import differences
from checks.machines import asked_for
from checks.snapshot import PredictedResource, Snapshot
from checks.snapshot import load as load_snapshot

INFRA = Path(__file__).resolve().parents[2] / "infra"
ACCESS = load_access(INFRA / "access.json")
COMPUTE = "Microsoft.Compute/virtualMachines"
Change = Callable[[Snapshot], None]

DEPARTURES: list[tuple[Change, tuple[str, ...]]] = []


def named(*expected: str) -> Callable[[Change], Change]:
    def keep(change: Change) -> Change:
        DEPARTURES.append((change, expected))
        return change

    return keep


def the(made: Snapshot, kind: str, part: str) -> dict[str, Any]:
    (found,) = (
        resource
        for resource in made["predictedResources"]
        if resource["type"] == kind and part in resource["id"]
    )
    return cast("dict[str, Any]", found)


def machine(made: Snapshot, name: str) -> dict[str, Any]:
    return the(made, COMPUTE, f"/relay-{name}-")


def command(made: Snapshot, name: str) -> dict[str, Any]:
    return the(made, f"{COMPUTE}/runCommands", f"/relay-{name}-")


def attached(made: Snapshot, name: str) -> dict[str, Any]:
    return cast("dict[str, Any]", machine(made, name)["identity"]["userAssignedIdentities"])


def identity_id(made: Snapshot, name: str) -> str:
    return str(the(made, "Microsoft.ManagedIdentity/userAssignedIdentities", f"/{name}-")["id"])


@named("undeclared: machines/reader has identities/decrypt")
def attach(made: Snapshot) -> None:
    attached(made, "reader")[identity_id(made, "decrypt")] = {}


@named("missing: machines/split has identities/decrypt")
def detach(made: Snapshot) -> None:
    del attached(made, "split")[identity_id(made, "decrypt")]


@named("undeclared: machines/split has an identity of its own")
def own_identity(made: Snapshot) -> None:
    machine(made, "split")["identity"]["type"] = "SystemAssigned, UserAssigned"


@named("missing: machines/reader has an identity of its own")
def no_own_identity(made: Snapshot) -> None:
    machine(made, "reader")["identity"]["type"] = "UserAssigned"


@named(
    "missing: identities/receiver_merged",
    "missing: machines/merged has identities/receiver_merged",
    "missing: machines/merged/runcommands/read-secret gets "
    "CLIENT_ID = clientId of identities/receiver_merged",
    "undeclared: machines/merged has identities/decrypt",
    "undeclared: machines/merged/runcommands/read-secret gets "
    "CLIENT_ID = clientId of identities/decrypt",
)
def other_identity(made: Snapshot) -> None:
    """Leave the merged identity away, and give the machine one of the receiver instead."""
    one, other = identity_id(made, "receiver_merged"), identity_id(made, "decrypt")
    made["predictedResources"].remove(
        cast(
            "PredictedResource", the(made, "Microsoft.ManagedIdentity/userAssignedIdentities", one)
        )
    )
    del attached(made, "merged")[one]
    attached(made, "merged")[other] = {}
    parameter = command(made, "merged")["properties"]["parameters"][0]
    parameter["value"] = parameter["value"].replace(one, other)


@named(
    "missing: machines/reader/runcommands/read-secret runs infra/virtual-machines/read-secret.sh",
    "undeclared: machines/reader/runcommands/read-secret runs something else",
)
def other_script(made: Snapshot) -> None:
    command(made, "reader")["properties"]["source"]["script"] += "\ncat /etc/shadow\n"


@named(
    "undeclared: machines/reader/runcommands/other",
    "undeclared: machines/reader/runcommands/other runs something else",
)
def other_command(made: Snapshot) -> None:
    other = copy.deepcopy(command(made, "reader"))
    other["id"] = other["id"].replace("read-secret", "other")
    other["properties"] = {"source": {"script": "id"}}
    made["predictedResources"].append(cast("PredictedResource", other))


@named(
    "missing: machines/reader",
    "missing: machines/reader has an identity of its own",
    "missing: machines/reader has identities/database",
)
def missing_machine(made: Snapshot) -> None:
    made["predictedResources"].remove(cast("PredictedResource", machine(made, "reader")))


@named(
    "undeclared: machines/reader",
    "undeclared: machines/reader has an identity of its own",
    "undeclared: machines/reader has identities/database",
    "undeclared: machines/reader/runcommands/read-secret",
    "undeclared: machines/reader/runcommands/read-secret gets "
    "CLIENT_ID = clientId of identities/database",
    "undeclared: machines/reader/runcommands/read-secret gets "
    "SECRET_URL = secretUri of vaults/database/secrets/database-connection",
    "undeclared: machines/reader/runcommands/read-secret runs "
    "infra/virtual-machines/read-secret.sh",
)
def machine_nobody_asked_for(made: Snapshot) -> None:
    made["outputs"]["machines"] = ["merged", "split"]


@pytest.mark.parametrize(
    ("change", "expected"), DEPARTURES, ids=lambda v: getattr(v, "__name__", "")
)
def test_a_departure_is_named(change: Change, expected: tuple[str, ...]) -> None:
    made = copy.deepcopy(load_snapshot(INFRA / "machines.snapshot.json"))
    change(made)
    found = [str(difference) for difference in differences(ACCESS, made)]
    assert sorted(found) == sorted(expected)


def test_an_identity_of_machines_alone_is_deployed_with_them_only() -> None:
    without = load_snapshot(INFRA / "local.snapshot.json")
    assert "receiver_merged" not in json.dumps(without)
    assert "receiver_merged" not in json.dumps(asked_for(ACCESS, without))
    assert "receiver_merged" in json.dumps(asked_for(ACCESS, with_merged(without)))


def with_merged(snapshot: Snapshot) -> Snapshot:
    return {**snapshot, "outputs": {**snapshot["outputs"], "machines": ["merged"]}}


def test_no_machine_and_no_network_of_machines_is_made_unless_asked_for() -> None:
    without = load_snapshot(INFRA / "local.snapshot.json")
    kinds = {resource["type"].partition("/")[0] for resource in without["predictedResources"]}
    assert "Microsoft.Compute" not in kinds
    assert not [r for r in without["predictedResources"] if "/machines-" in r["id"]]
