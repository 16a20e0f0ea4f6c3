"""What Azure refuses of a second deployment is named where it is planted, and nothing else."""

from __future__ import annotations

import copy
from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from local.resource_manager.existing import Change, after_a_year
from local.resource_manager.template import MADE_ONCE, Template
from local.resource_manager.update import RULES, blockers, blockers_later
from tests.unit.local.resource_manager.planting import (
    ACCOUNT,
    BUS,
    GONE,
    IDENTITY,
    KEY,
    PLAN,
    QUEUE,
    SECRET,
    SENDER,
    SERVER,
    SNAPSHOTS,
    VAULT,
    Json,
    Planted,
    existing,
    places,
    put,
    resource,
    snapshot,
)

MISMATCH = "KeyCreationParametersDidNotMatchExistingKey"
MACHINES = "machines.snapshot.json"
MACHINE = "Compute/virtualMachines"


def forgetting(document: Json) -> Json:
    """Take back that keys are made once."""
    made = copy.deepcopy(document)
    made["outputs"][MADE_ONCE] = []
    return made


# Over the deployment as it is, or over the one with machines in it.
FIXED = (
    Planted(QUEUE, "requiresDuplicateDetection", False, "BadRequest"),
    Planted("queues/receipts", "requiresDuplicateDetection", True, "BadRequest"),
    Planted(QUEUE, "requiresSession", True, "BadRequest"),
    Planted(QUEUE, "enablePartitioning", True, "BadRequest"),
    Planted(BUS, "/sku", {"name": "Premium", "tier": "Premium"}, "BadRequest", "sku.name"),
    Planted(VAULT, "softDeleteRetentionInDays", 7, "BadRequest"),
    Planted(ACCOUNT, "/kind", "BlockBlobStorage", "AccountPropertyCannotBeUpdated"),
    Planted(
        SERVER,
        "storage.storageSizeGB",
        16,
        "UpsertServerManagementOperationDowngradeDiskSizeUnsupported",
    ),
    Planted(SERVER, "administratorLogin", "other", "InvalidParameterValue"),
    Planted(SERVER, "version", "16", "InvalidParameterValue"),
    Planted(SERVER, "backup.geoRedundantBackup", "Enabled", "InvalidParameterValue"),
    Planted(f"{SERVER}/databases/relay", "charset", "SQL_ASCII", "InvalidParameterValue"),
    Planted(f"{SERVER}/databases/relay", "collation", "C", "InvalidParameterValue"),
    Planted(PLAN, "reserved", GONE, "BadRequest"),
    Planted(PLAN, "/sku", {"name": "EP1", "tier": "ElasticPremium"}, "BadRequest", "sku.tier"),
    Planted(SENDER, "serverFarmId", "/elsewhere", "BadRequest"),
    Planted(SENDER, "/kind", "functionapp", "BadRequest"),
    *(
        Planted(ending, "/location", "eastus", "InvalidResourceLocation")
        for ending in (SENDER, PLAN, VAULT, BUS, ACCOUNT, SERVER, IDENTITY)
    ),
    Planted("resourceGroups/relay-local", "/location", "eastus", "InvalidResourceGroupLocation"),
)
KEYS = (
    Planted(KEY, "attributes.exp", 4102444798, MISMATCH),
    Planted(KEY, "attributes.exp", GONE, MISMATCH),
    Planted(KEY, "attributes.nbf", 1, MISMATCH),
    Planted(KEY, "attributes.enabled", False, MISMATCH),
    Planted(KEY, "keySize", 2048, MISMATCH),
    Planted(KEY, "keySize", GONE, MISMATCH),
    Planted(KEY, "kty", "EC", MISMATCH),
    Planted(KEY, "keyOps", ["encrypt"], MISMATCH),
    Planted(KEY, "/tags", {"azd-env-name": "other"}, MISMATCH),
    Planted(KEY, "/tags", GONE, MISMATCH),
)
TAKEN = (
    (KEY, "rotationPolicy.attributes.expiryTime", "P1Y"),
    (KEY, "keyOps", ["decrypt", "encrypt"]),
    (KEY, "attributes.exportable", GONE),
    (SECRET, "attributes.exp", 1),
    (SECRET, "value", "other"),
    (QUEUE, "maxDeliveryCount", 3),
    (QUEUE, "lockDuration", "PT2M"),
    (QUEUE, "duplicateDetectionHistoryTimeWindow", "PT30M"),
    (BUS, "disableLocalAuth", False),
    (VAULT, "enableRbacAuthorization", False),
    (VAULT, "softDeleteRetentionInDays", GONE),
    (VAULT, "/tags", {"other": "tags"}),
    (VAULT, "/location", "West Europe"),
    (SERVER, "storage.storageSizeGB", 4096),
    (SERVER, "version", "18"),
    (SERVER, "administratorLoginPassword", "[parameters('other')]"),
    (SERVER, "/sku", {"name": "Standard_D2ds_v5", "tier": "GeneralPurpose"}),
    (SERVER, "administratorLogin", "RELAY"),
    (SENDER, "functionAppConfig.runtime.version", "3.12"),
    (SENDER, "functionAppConfig.scaleAndConcurrency.maximumInstanceCount", 40),
    (ACCOUNT, "/sku", {"name": "Standard_ZRS"}),
)


@pytest.mark.parametrize("name", SNAPSHOTS)
def test_our_own_deployments_are_taken_twice(name: str) -> None:
    assert blockers(existing(snapshot(name)), snapshot(name)) == []


@pytest.mark.parametrize("name", SNAPSHOTS)
def test_our_own_deployments_are_taken_after_a_year(name: str) -> None:
    assert blockers_later(snapshot(name)) == []


@pytest.mark.parametrize("planted", FIXED, ids=str)
def test_what_stays_as_it_was_made_is_named_and_nothing_else(planted: Planted) -> None:
    (refusal,) = blockers(existing(snapshot()), planted.planted(snapshot()))
    assert refusal.resource.endswith(planted.ending)
    assert (refusal.path, refusal.code) == (planted.place, planted.code)
    assert refusal.source


@pytest.mark.parametrize("name", SNAPSHOTS)
def test_it_is_named_in_every_deployment(name: str) -> None:
    document = snapshot(name)
    for planted in FIXED:
        if planted.ending == BUS and planted.path == "/sku":  # one way in some, back in the others
            continue
        found = blockers(existing(document), planted.planted(document))
        assert places(found) == [(planted.place, planted.code)], planted
    for planted in KEYS:
        found = blockers(existing(document), planted.planted(forgetting(document)))
        assert {code for _, code in places(found)} == {MISMATCH}, planted


@pytest.mark.parametrize("planted", KEYS, ids=str)
def test_a_key_that_would_be_made_again_otherwise(planted: Planted) -> None:
    document = forgetting(snapshot())
    found = blockers(existing(document), planted.planted(document))
    assert (planted.place, MISMATCH) in places(found)
    assert all("onlyIfNotExists" in one.what for one in found)
    assert blockers(existing(document), planted.planted(snapshot())) == []


@pytest.mark.parametrize(("ending", "path", "value"), TAKEN, ids=str)
def test_what_azure_takes_over_what_stands(ending: str, path: str, value: object) -> None:
    for document in (snapshot(), forgetting(snapshot())):
        after = copy.deepcopy(document)
        put(resource(after, ending), path, value)
        assert blockers(existing(document), after) == []


def test_a_rotated_key_is_not_that_of_the_template_any_more() -> None:
    document = forgetting(snapshot())
    rotated = frozenset({resource(document, KEY)["id"].lower()})
    (refusal,) = blockers(existing(document, rotated=rotated), document)
    assert (refusal.path, refusal.code) == ("attributes.exp", MISMATCH)
    assert blockers(existing(document, rotated=rotated), snapshot()) == []


def test_a_rotated_key_without_expiry_is_still_that_of_the_template() -> None:
    document = forgetting(snapshot())
    put(resource(document, KEY), "attributes.exp", GONE)
    put(resource(document, KEY), "rotationPolicy", GONE)
    rotated = frozenset({resource(document, KEY)["id"].lower()})
    assert blockers(existing(document, rotated=rotated), document) == []


def test_a_grown_disk_does_not_shrink() -> None:
    document = snapshot()
    grown = existing(document, disks={resource(document, SERVER)["id"].lower(): 64})
    (refusal,) = blockers(grown, document)
    assert refusal.path == "storage.storageSizeGB"
    assert "has grown to 64 GB" in refusal.what
    put(resource(document, SERVER), "storage.storageSizeGB", 64)
    assert blockers(grown, document) == []


def test_a_fixed_size_beside_auto_grow_fails_within_the_year() -> None:
    document = snapshot()
    put(resource(document, SERVER), "storage.autoGrow", "Enabled")
    assert [one.path for one in blockers_later(document)] == ["storage.storageSizeGB"]


def test_a_key_that_is_not_made_once_fails_within_the_year() -> None:
    resources = snapshot()["predictedResources"]
    keys = [one for one in resources if one["type"] == "Microsoft.KeyVault/vaults/keys"]
    found = [one.code for one in blockers_later(forgetting(snapshot()))]
    assert found == [MISMATCH] * len(keys)


def test_the_name_of_a_deleted_vault_is_taken() -> None:
    document = snapshot()
    deleted = existing(document, deleted_vaults=frozenset({"payload-local"}))
    (refusal,) = blockers(deleted, document)
    assert (refusal.path, refusal.code) == ("name", "ConflictError")
    put(resource(document, VAULT), "createMode", "recover")
    assert blockers(deleted, document) == []


MACHINE_CHANGES: Mapping[str, object] = {
    "osProfile.adminUsername": "other",
    "osProfile.computerName": "other",
    "osProfile.customData": "other",
    "osProfile.linuxConfiguration": {"disablePasswordAuthentication": True},
    "storageProfile.imageReference": {"sku": "other"},
    "storageProfile.osDisk.name": "other",
    "/zones": ["3"],
}


@pytest.mark.parametrize("path", MACHINE_CHANGES)
def test_a_machine_stays_as_it_was_made(path: str) -> None:
    before = snapshot(MACHINES)
    for one in before["predictedResources"]:
        if one["type"] == f"Microsoft.{MACHINE}":
            put(one, "osProfile.customData", "first")
            put(one, "storageProfile.osDisk.name", "first")
            put(one, "/zones", ["1"])
    after = copy.deepcopy(before)
    (first, *_) = [one for one in after["predictedResources"] if one["type"].endswith(MACHINE)]
    put(first, path, MACHINE_CHANGES[path])
    assert places(blockers(existing(before), after)) == [
        (path.removeprefix("/"), "PropertyChangeNotAllowed")
    ]


OTHERS = (
    (BUS, "premiumMessagingPartitions", 1, 2),
    (ACCOUNT, "isHnsEnabled", False, True),
    (ACCOUNT, "encryption.requireInfrastructureEncryption", False, True),
    (SERVER, "storage.type", "Premium_LRS", "PremiumV2_LRS"),
    (SERVER, "availabilityZone", "1", "2"),
    (SERVER, "network.delegatedSubnetResourceId", "/a", "/b"),
)


@pytest.mark.parametrize(("ending", "path", "first", "second"), OTHERS)
def test_what_is_said_when_made_stays(
    ending: str, path: str, first: object, second: object
) -> None:
    before, after = snapshot(), snapshot()
    put(resource(before, ending), path, first)
    put(resource(after, ending), path, second)
    assert [one.path for one in blockers(existing(before), after)] == [path]
    put(resource(after, ending), path, GONE)
    assert blockers(existing(before), after) == []


def test_a_link_of_a_zone_stays_with_its_network() -> None:
    before = snapshot("local-private.snapshot.json")
    after = copy.deepcopy(before)
    (link, *_) = [o for o in after["predictedResources"] if o["type"].endswith("NetworkLinks")]
    put(link, "virtualNetwork.id", "/other")
    assert [one.path for one in blockers(existing(before), after)] == ["virtualNetwork.id"]


def test_what_is_new_or_no_longer_there_is_no_matter() -> None:
    empty: Json = {"predictedResources": []}
    assert blockers(existing(empty), snapshot()) == []
    assert blockers(existing(snapshot()), empty) == []


def test_every_rule_has_a_source_and_a_code() -> None:
    assert len(RULES) > 35
    assert all(rule.source and rule.code for rule in RULES)


def test_a_year_changes_nothing_where_nothing_can_grow() -> None:
    assert after_a_year(Template(snapshot())).disks == {}
    assert Change(existing(snapshot()), Template({})).pairs(QUEUE) == []


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner),
    max_leaves=9,
)


@given(st.data())
def test_whatever_stands_in_a_resource_it_does_not_fail(data: st.DataObject) -> None:
    before, after = snapshot(), snapshot()
    for document in (before, after):
        one = data.draw(st.sampled_from(document["predictedResources"]))
        paths = [f"/{name}" for name in one if name not in ("id", "type")]
        paths += list(one.get("properties", {}))
        if paths:
            put(one, data.draw(st.sampled_from(paths)), data.draw(JSON))
    blockers(existing(before), after)
    blockers_later(after)
