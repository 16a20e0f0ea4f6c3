"""Virtual machines of a deployment, read from a snapshot."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from local.deployment.deployment import load, resolved
from local.deployment.resources import Deployment, MachineSpec
from local.deployment.snapshot import DeploymentError

SNAPSHOT = Path(__file__).parents[4] / "infra" / "machines.snapshot.json"
Json = dict[str, Any]


def machine(deployment: Deployment, name: str) -> MachineSpec:
    return next(one for one in deployment.machines if one.name == name)


def test_the_machines_have_the_identities_that_are_attached_to_them() -> None:
    deployment = load(SNAPSHOT)
    assert {
        one.name: ([i.name for i in one.identities], one.system_identity is not None)
        for one in deployment.machines
    } == {
        "reader": (["database-local"], True),
        "merged": (["receiver_merged-local"], False),
        "split": (["decrypt-local", "partner-local"], False),
    }


def test_a_command_is_told_the_identity_and_the_secret() -> None:
    deployment = load(SNAPSHOT)
    reader = machine(deployment, "reader")
    uris = {vault.resource_id: f"https://{vault.name}/" for vault in deployment.vaults}
    assert resolved(reader.parameters, uris) == {
        "CLIENT_ID": reader.identities[0].client_id,
        "SECRET_URL": "https://database-local/secrets/database-connection",
    }


def custom_data(machine: Json, command: Json) -> None:
    machine["properties"]["osProfile"]["customData"] = "IyEvYmluL2Jhc2g="


def user_data(machine: Json, command: Json) -> None:
    machine["properties"]["userData"] = "IyEvYmluL2Jhc2g="


def nameless(machine: Json, command: Json) -> None:
    del machine["properties"]["osProfile"]["computerName"]


def script_from_elsewhere(machine: Json, command: Json) -> None:
    command["properties"]["source"] = {"scriptUri": "https://example.com/script.sh"}


def as_somebody_else(machine: Json, command: Json) -> None:
    command["properties"]["runAsUser"] = "root"


def on_no_machine(machine: Json, command: Json) -> None:
    command["id"] = command["id"].replace("relay-reader", "relay-other")


def an_identity_of_elsewhere(machine: Json, command: Json) -> None:
    machine["identity"]["userAssignedIdentities"] = {"/subscriptions/s/identities/other": {}}


def a_second_one_of_the_name(machine: Json, command: Json) -> None:
    machine["properties"]["osProfile"]["computerName"] = "split"


@pytest.mark.parametrize(
    ("change", "path", "why"),
    [
        (custom_data, "properties.osProfile.customData", "does not support"),
        (user_data, "properties.userData", "does not support"),
        (nameless, "properties.osProfile.computerName", "is missing"),
        (script_from_elsewhere, "properties.source.script", "is missing"),
        (as_somebody_else, "properties.runAsUser", "does not support"),
        (on_no_machine, "", "not deployed with it"),
        (an_identity_of_elsewhere, "identity.userAssignedIdentities", "not an identity of this"),
        (a_second_one_of_the_name, "", "host name split is another machine's"),
    ],
)
def test_what_cannot_be_honoured_is_refused_by_name(
    tmp_path: Path, change: Callable[[Json, Json], None], path: str, why: str
) -> None:
    document = json.loads(SNAPSHOT.read_text())
    kind = "Microsoft.Compute/virtualMachines"
    found = {
        resource["type"]: resource
        for resource in document["predictedResources"]
        if resource["type"].startswith(kind) and "relay-reader-" in resource["id"]
    }
    change(found[kind], found[f"{kind}/runCommands"])
    changed = tmp_path / "changed.json"
    changed.write_text(json.dumps(document))
    with pytest.raises(DeploymentError) as refused:
        load(changed)
    assert why in refused.value.why
    assert path in refused.value.path
