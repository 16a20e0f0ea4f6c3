"""A deployment over what a folder remembers: what stays, what is left alone, what is refused."""

from __future__ import annotations

import copy
import json
import stat
from pathlib import Path
from typing import Any

import pytest

from local.deployment.resources import KeySpec, SecretSpec, VaultSpec
from local.deployment.snapshot import DeploymentError
from local.key_vault.store import VaultStore
from local.resource_manager.template import MADE_ONCE
from local.runtime.redeployment import FILE, DeploymentRefusedError, Redeployment, over, read
from tests.unit.local.resource_manager.planting import (
    BUS,
    KEY,
    QUEUE,
    SECRET,
    SENDER,
    SERVER,
    VAULT,
    Json,
    put,
    resource,
    snapshot,
)

PATH = Path("some.snapshot.json")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path


def deploy(folder: Path, document: Json) -> Redeployment:
    """Work out a deployment, and let the folder remember it."""
    made = over(folder, json.dumps(document).encode(), PATH)
    (folder / FILE).write_text(made.record)
    return made


def remembered(folder: Path) -> Json:
    content: Json = json.loads((folder / FILE).read_text())
    return {"predictedResources": content["resources"]}


def rotate(folder: Path) -> None:
    """Make a vault's folder with a key of two versions."""
    key = KeySpec("/k", "payload", "RSA", 2048, ("encrypt",))
    spec = VaultSpec("/v", "payload-local", "", "", True, (), (key,), ())
    VaultStore(folder / "vaults" / "payload-local", spec).rotate("payload")


def without(document: Json, ending: str) -> Json:
    made = copy.deepcopy(document)
    gone = resource(made, ending)
    made["predictedResources"].remove(gone)
    return made


def only_keys_forgotten(document: Json) -> Json:
    made = copy.deepcopy(document)
    made["outputs"][MADE_ONCE] = []
    return made


def test_a_new_folder_takes_it_as_it_is(folder: Path) -> None:
    made = over(folder, json.dumps(snapshot()).encode(), PATH)
    assert made.staying == {}
    assert made.rewritten == frozenset()
    assert json.loads(made.record)["version"] == 2


def test_the_same_again_changes_nothing(folder: Path) -> None:
    first = deploy(folder, snapshot())
    again = deploy(folder, snapshot())
    assert again.deployment == first.deployment
    assert (again.staying, again.rewritten) == ({}, frozenset())
    assert again.record == first.record


def test_no_value_of_a_secret_is_remembered(folder: Path) -> None:
    document = snapshot()
    put(resource(document, SECRET), "value", "hush-hush")
    put(resource(document, SERVER), "administratorLoginPassword", "hush-hush")
    deploy(folder, document)
    assert "hush-hush" not in (folder / FILE).read_text()
    assert deploy(folder, document).rewritten == frozenset()


def test_a_key_by_another_clock_and_after_a_rotation_is_left_alone(folder: Path) -> None:
    deploy(folder, snapshot())
    rotate(folder)
    later = snapshot()
    for ending in (KEY, SECRET):
        put(resource(later, ending), "attributes.exp", 4000000000 - 86400)
    put(resource(later, KEY), "keySize", 4096)
    again = deploy(folder, later)
    (vault,) = (one for one in again.deployment.vaults if one.name == "payload-local")
    assert [key.size for key in vault.keys] == [3072]
    kept = resource(remembered(folder), KEY)
    assert kept["properties"]["attributes"]["exp"] == 4000000000


def test_a_key_that_is_not_made_once_is_refused_after_a_rotation(folder: Path) -> None:
    document = only_keys_forgotten(snapshot())
    deploy(folder, document)
    deploy(folder, document)
    before = (folder / FILE).read_bytes()
    rotate(folder)
    with pytest.raises(DeploymentRefusedError) as refused:
        deploy(folder, document)
    (refusal,) = refused.value.refusals
    assert refusal.code == "KeyCreationParametersDidNotMatchExistingKey"
    text = str(refused.value)
    assert text.startswith(f"Azure would refuse to deploy {PATH} over what exists in {folder}, ")
    assert "give another folder (--folder) or remove this one" in text
    assert "@onlyIfNotExists()" in text
    assert (folder / FILE).read_bytes() == before


def test_what_was_left_alone_is_what_a_later_deployment_is_held_to(folder: Path) -> None:
    deploy(folder, snapshot())
    other = snapshot()
    put(resource(other, KEY), "keySize", 4096)
    deploy(folder, other)
    with pytest.raises(DeploymentRefusedError) as refused:
        deploy(folder, only_keys_forgotten(other))
    assert [one.path for one in refused.value.refusals] == ["keySize"]
    deploy(folder, only_keys_forgotten(snapshot()))


def test_what_a_template_no_longer_has_stays(folder: Path) -> None:
    first = deploy(folder, snapshot())
    less = snapshot()
    gone = [
        one
        for one in less["predictedResources"]
        if one["type"].endswith("roleAssignments") and "queues/receipts" in one["id"]
    ]
    less["predictedResources"] = [one for one in less["predictedResources"] if one not in gone]
    again = deploy(folder, less)
    assert set(again.staying.values()) == {"Microsoft.Authorization/roleAssignments"}
    assert len(again.staying) == len(gone) > 1
    assert set(again.deployment.role_assignments) == set(first.deployment.role_assignments)
    assert deploy(folder, less).staying == again.staying


def test_what_stays_and_cannot_run_beside_the_rest_says_so(folder: Path) -> None:
    deploy(folder, snapshot())
    renamed = json.loads(json.dumps(snapshot()).replace("relay-sender-local", "relay-poster-local"))
    with pytest.raises(DeploymentError, match=r"stays from an earlier deployment|RELAY_APP"):
        deploy(folder, renamed)


def test_another_group_is_another_deployment_and_both_are_remembered(folder: Path) -> None:
    deploy(folder, snapshot())
    other = json.loads(
        json.dumps(snapshot()).replace("resourceGroups/relay-local", "resourceGroups/x")
    )
    # Names of roles and of assignments are one group's alone.
    other["predictedResources"] = [
        one for one in other["predictedResources"] if "Microsoft.Authorization" not in one["type"]
    ]
    again = deploy(folder, other)
    assert len(again.deployment.namespaces) == 1
    assert again.staying == {}
    both = len(snapshot()["predictedResources"]) + len(other["predictedResources"])
    assert len(remembered(folder)["predictedResources"]) == both
    changed = snapshot()
    put(resource(changed, BUS), "/sku", {"name": "Premium", "tier": "Premium"})
    with pytest.raises(DeploymentRefusedError):
        deploy(folder, changed)


def test_a_secret_of_the_deployment_is_rewritten_where_anything_of_it_differs(folder: Path) -> None:
    deploy(folder, snapshot())
    later = snapshot()
    database = resource(later, "secrets/database-connection")
    put(database, "attributes.exp", 1 + 4000000000)
    put(resource(later, SECRET), "attributes.exp", 1 + 4000000000)
    assert deploy(folder, later).rewritten == {database["id"].lower()}


@pytest.mark.parametrize(
    ("ending", "path", "value", "code"),
    [
        (QUEUE, "requiresDuplicateDetection", False, "BadRequest"),
        (BUS, "/sku", {"name": "Premium", "tier": "Premium"}, "BadRequest"),
        (VAULT, "/location", "eastus", "InvalidResourceLocation"),
        (SERVER, "administratorLogin", "other", "InvalidParameterValue"),
    ],
)
def test_what_azure_refuses_over_what_stands_is_refused(
    folder: Path, ending: str, path: str, value: object, code: str
) -> None:
    deploy(folder, snapshot())
    changed = snapshot()
    put(resource(changed, ending), path, value)
    with pytest.raises(DeploymentRefusedError) as refused:
        deploy(folder, changed)
    assert code in {one.code for one in refused.value.refusals}


def test_an_older_folder_remembers_nothing_and_its_keys_are_left_alone(folder: Path) -> None:
    rotate(folder)
    assert deploy(folder, only_keys_forgotten(snapshot())).staying == {}


@pytest.mark.parametrize("content", ["", "[]", '{"version": 1}', "{"])
def test_a_folder_of_another_version_is_refused(folder: Path, content: str) -> None:
    (folder / FILE).write_text(content)
    with pytest.raises(DeploymentError, match="another version of the local cloud"):
        over(folder, json.dumps(snapshot()).encode(), PATH)


def test_a_snapshot_that_azure_refuses_is_not_read_any_further(tmp_path: Path) -> None:
    document = snapshot()
    put(resource(document, SENDER), "siteConfig.alwaysOn", True)
    path = tmp_path / "bad.snapshot.json"
    path.write_text(json.dumps(document))
    with pytest.raises(DeploymentRefusedError) as refused:
        read(path)
    assert str(refused.value).startswith(f"Azure would refuse to deploy {path}, and so does the ")
    assert "siteConfig.alwaysOn: Flex Consumption does not take it" in str(refused.value)


@pytest.mark.parametrize("content", [b"", b"nonsense", b"[]", b"\xff", b"[" * 100_000])
def test_what_is_no_snapshot_is_told_as_ever(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "bad.snapshot.json"
    path.write_bytes(content)
    with pytest.raises(DeploymentError):
        over(tmp_path, read(path), path)
    with pytest.raises(DeploymentError, match="cannot be read"):
        read(tmp_path / "nowhere.json")


def test_a_stored_file_is_for_this_user_alone(tmp_path: Path) -> None:
    from local.net.folder import lock

    with lock(tmp_path / "held") as held:
        made = over(held.path, json.dumps(snapshot()).encode(), PATH)
        assert stat.S_IMODE(held.write_private(FILE, made.record).stat().st_mode) == 0o600


def specs(*secrets: SecretSpec) -> dict[str, Any]:
    return {one.name: one for one in secrets}


def test_which_secrets_are_made_once_is_known(folder: Path) -> None:
    made = deploy(folder, snapshot()).deployment
    secrets = specs(*(secret for vault in made.vaults for secret in vault.secrets))
    assert secrets["partner-connection"].made_once
    assert not secrets["database-connection"].made_once
