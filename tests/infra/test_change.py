"""A change of the declaration needs no other edit: the compiler deploys it from there."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from checks import compiler, infra
from checks.access import load
from checks.declaration import Access
from checks.differences import deployed_settings, differences
from checks.snapshot import Snapshot, of_type, operators
from checks.snapshot import load as load_snapshot

pytestmark = [
    pytest.mark.long,
    pytest.mark.skipif(
        compiler.compiler() is None,
        reason="no bicep on the PATH to compile the changed infrastructure",
    ),
]

INVENTORY = "RELAY_ACCESS_"
GRANTED = (
    *("RELAY_IDENTITY_", "RELAY_KEY_", "RELAY_QUEUE_", "RELAY_SECRET_"),
    "RELAY_BUS__clientId",
)
SNAPSHOTS = ("local", "local-policies-private")  # two that differ in every choice


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A copy of the infrastructure with few deployments: the compiler takes seconds for each."""
    copied = Path(shutil.copytree(infra.INFRA, tmp_path / "infra"))
    for parameters in copied.glob("*.bicepparam"):
        if parameters.stem not in SNAPSHOTS:
            parameters.unlink()
    return copied


def made(folder: Path, access: Access) -> list[Snapshot]:
    """The snapshots that the compiler makes of a changed declaration alone."""
    (folder / "access.json").write_text(json.dumps(access))
    infra.build(folder)
    return [load_snapshot(folder / f"{name}.snapshot.json") for name in SNAPSHOTS]


def attached(access: Access, app: str) -> list[str]:
    return next(one["identities"] for one in access["apps"] if one["name"] == app)


def settings(snapshot: Snapshot, app: str) -> dict[str, str]:
    sites = of_type(snapshot, "Microsoft.Web/sites")
    found = (dict(deployed_settings(snapshot, site)) for site in sites)
    return next(given for given in found if given["RELAY_APP"] == app)


def test_an_identity_with_a_grant(folder: Path) -> None:
    access = load(folder / "access.json")
    access["identities"].append({"name": "auditor", "purpose": "Look at what was rejected"})
    attached(access, "tracker").append("auditor")
    access["queueGrants"].append(
        {"identity": "auditor", "queue": "rejected", "rights": ["receive"]}
    )
    for snapshot in made(folder, access):
        assert differences(access, snapshot) == []
        given = settings(snapshot, "tracker")
        assert given["RELAY_IDENTITY_AUDITOR"] == "clientId of identities/auditor"
        assert given["RELAY_QUEUE_REJECTED"] == "rejected"


def test_another_operator(folder: Path) -> None:
    access = load(folder / "access.json")
    access["operators"].append({"name": "auditor", "purpose": "Look at receipts"})
    access["queueGrants"].append(
        {"identity": "auditor", "queue": "receipts", "rights": ["receive"]}
    )
    for snapshot in made(folder, access):
        assert differences(access, snapshot) == []
        (one,), (other,) = operators(snapshot)["operator"], operators(snapshot)["auditor"]
        assert one != other


def test_an_operator_nobody_is_deployed_without_rights(folder: Path) -> None:
    access = load(folder / "access.json")
    (folder / "local-policies-private.bicepparam").unlink()
    parameters = folder / "local.bicepparam"
    named = "expiry as never, operators as nobody", "param operators = nobody\n"
    kept = parameters.read_text().replace(named[0], "expiry as never").replace(named[1], "")
    parameters.write_text(kept)
    with pytest.raises(compiler.InfraError, match="missing: operators/operator"):
        infra.build(folder)
    snapshot = load_snapshot(folder / "local.snapshot.json")
    missing = {str(difference) for difference in differences(access, snapshot)}
    for operator in access["operators"]:
        assert f"missing: operators/{operator['name']}" in missing
    rights = {what for what in missing if " may " in what}
    assert {what.split()[1] for what in rights} == {one["name"] for one in access["operators"]}
    assert len(missing) == len(rights) + len(access["operators"])


def test_a_secret_in_a_vault_of_its_own_a_queue_and_an_app(folder: Path) -> None:
    access = load(folder / "access.json")
    access["vaults"].append({"name": "archive"})
    access["secrets"].append({"name": "archive-connection", "vault": "archive"})
    access["queues"].append(
        {"name": "archive-in", "duplicateDetection": "PT1H", "forwardDeadLettersTo": "rejected"}
    )
    access["identities"].append({"name": "archivist", "purpose": "Read the archive's connection"})
    access["identities"].append({"name": "archive_bus", "purpose": "Take what is to be archived"})
    access["identities"].append({"name": "archiver_package", "purpose": "Store the package"})
    access["apps"].append(
        {
            "name": "archiver",
            "identities": ["archivist", "archive_bus", "decrypt", "archiver_package"],
            "package": "archiver_package",
            "trigger": {"identity": "archive_bus", "queues": ["archive-in"]},
        }
    )
    access["secretGrants"].append(
        {"identity": "archivist", "vault": "archive", "secret": "archive-connection"}
    )
    access["queueGrants"].append(
        {"identity": "archive_bus", "queue": "archive-in", "rights": ["receive", "send"]}
    )
    access["scaleGrants"].append({"identity": "archive_bus", "queue": "archive-in"})
    access["packageGrants"].append({"identity": "archiver_package", "storage": "archiver"})
    access["storageGrants"].append({"app": "archiver", "storage": "archiver"})
    access["telemetryGrants"].append({"app": "archiver"})
    secret = "vaults/archive/secrets/archive-connection"
    for snapshot in made(folder, access):
        assert differences(access, snapshot) == []
        given, others = settings(snapshot, "archiver"), settings(snapshot, "tracker")
        known = {name: value for name, value in given.items() if name.startswith(INVENTORY)}
        assert known == {n: value for n, value in others.items() if n.startswith(INVENTORY)}
        assert known["RELAY_ACCESS_QUEUE_ARCHIVE_IN"] == "archive-in"
        assert {n: value for n, value in given.items() if n.startswith(GRANTED)} == {
            "RELAY_BUS__clientId": "clientId of identities/archive_bus",
            "RELAY_IDENTITY_ARCHIVE_BUS": "clientId of identities/archive_bus",
            "RELAY_IDENTITY_ARCHIVIST": "clientId of identities/archivist",
            "RELAY_IDENTITY_DECRYPT": "clientId of identities/decrypt",
            "RELAY_KEY_PAYLOAD": "keyUri of vaults/payload/keys/payload",
            "RELAY_QUEUE_ARCHIVE_IN": "archive-in",
            "RELAY_SECRET_ARCHIVE_CONNECTION": f"secretUri of {secret}",
        }
        # All else is as for any app with a trigger.
        declared = (INVENTORY, *GRANTED)
        assert {n: value for n, value in given.items() if not n.startswith(declared)} == {
            name: value.replace("tracker", "archiver")
            for name, value in others.items()
            if not name.startswith(declared)
        }


def test_both_operations_for_one_app(folder: Path) -> None:
    """One app that uses the same objects under two identities names each of them once."""
    access = load(folder / "access.json")
    attached(access, "sender").extend(["decrypt", "receiver_bus", "partner"])
    for grant in access["keyGrants"]:
        grant["operations"] = ["encrypt", "decrypt"]
    for snapshot in made(folder, access):
        assert differences(access, snapshot) == []


def test_an_optional_setting_reaches_its_app_and_replaces_nothing(folder: Path) -> None:
    access = load(folder / "access.json")
    (folder / "local-policies-private.bicepparam").unlink()
    parameters = folder / "local.bicepparam"
    given = "{ sender: { RELAY_MAX_PAYLOAD_BYTES: '1000', RELAY_APP: 'tracker' } }"
    parameters.write_text(parameters.read_text() + f"\nparam appSettings = {given}\n")
    with pytest.raises(compiler.InfraError) as undeclared:
        infra.build(folder)
    # The host's limit of a body follows that of payloads.
    limit = "apps/sender has the setting FUNCTIONS_REQUEST_BODY_SIZE_LIMIT"
    payload = "apps/sender has the setting RELAY_MAX_PAYLOAD_BYTES"
    assert str(undeclared.value).splitlines() == [
        f"local.snapshot.json: missing: {limit} = 1238576",
        f"local.snapshot.json: undeclared: {limit} = 1049576",
        f"local.snapshot.json: undeclared: {payload} = 1000",
    ]
    snapshot = load_snapshot(folder / "local.snapshot.json")
    assert differences(access, snapshot, {"sender": {"RELAY_MAX_PAYLOAD_BYTES": "1000"}}) == []


def test_a_change_without_the_compiler_is_found(folder: Path) -> None:
    access = load(folder / "access.json")
    access["keyGrants"][0]["operations"].append("decrypt")
    (folder / "access.json").write_text(json.dumps(access))
    with pytest.raises(compiler.InfraError, match="missing: encrypt may"):
        infra.check(folder)


def test_a_source_that_the_snapshot_does_not_know_is_found(folder: Path) -> None:
    source = folder / "modules" / "bus.bicep"
    source.write_text(source.read_text().replace("?? 'PT1M'", "??  'PT2M'"))
    with pytest.raises(compiler.InfraError) as found:
        infra.check(folder)
    assert "modules/bus.bicep is not formatted" in str(found.value)
    assert "its snapshot is out of date" in str(found.value)


def test_a_warning_is_found(folder: Path) -> None:
    source = folder / "modules" / "bus.bicep"
    source.write_text(source.read_text() + "\nparam spare string = ''\n")
    with pytest.raises(compiler.InfraError, match="no-unused-params"):
        infra.check(folder)
