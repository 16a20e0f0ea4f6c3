"""`up` over a folder that was up before is a second deployment, taken and refused as Azure does."""

from __future__ import annotations

import asyncio
import copy
import json
import shutil
import time
from pathlib import Path
from typing import Any, cast

import pytest
from azure.servicebus import ServiceBusMessage
from azure.servicebus.exceptions import ServiceBusError

from checks import azure, compiler, infra
from tests.pipeline.cloud_process import ROOT, SNAPSHOT, Running, running
from tests.pipeline.test_restart import up_until_it_ends

pytestmark = pytest.mark.long

Json = dict[str, Any]
FIRST: Json = json.loads((ROOT / "infra" / SNAPSHOT).read_text())
PARTNER, DATABASE = "partner-connection", "database-connection"


def written(folder: Path, document: Json) -> Path:
    path = folder / "second.snapshot.json"
    path.write_text(json.dumps(document))
    return path


def by_another_clock(document: Json) -> Json:
    """Give the same evaluated a day later: what expires does so a day later."""
    made = copy.deepcopy(document)
    for one in made["predictedResources"]:
        if one["type"].startswith("Microsoft.KeyVault/vaults/"):
            one["properties"]["attributes"]["exp"] += 86400
    return made


def only(document: Json, kind: str, ending: str = "") -> Json:
    """Give the one resource of a kind whose id ends so."""
    (found,) = (
        one
        for one in document["predictedResources"]
        if one["type"] == kind and one["id"].endswith(ending)
    )
    return dict(found)


async def secret(cloud: Running, vault: str, name: str) -> list[Json]:
    """Give the versions of a secret, as its vault keeps them."""
    path = cloud.folder / "vaults" / cloud.vault(vault) / "versions.json"
    return list(json.loads(path.read_text())["secrets"][name]["versions"])


async def round_trip(cloud: Running) -> None:
    async with cloud.session() as session:
        message = await cloud.send(session, b"once more", "a/b")
    received = (await cloud.received({message}))[message]
    assert (received.body, received.verified) == (b"once more", True)


async def twice_with_a_rotation(folder: Path, first: Path, second: Path) -> None:
    with running(folder, first) as cloud:
        (made,) = await cloud.versions("payload")
        key = f"{cloud.vault('payload')}/payload"
        rotated = (await cloud.control("POST", f"/keys/{key}/rotate"))["version"]
        partner = await secret(cloud, "partner", PARTNER)
        private = cloud.private_key(rotated).private_numbers()
    with running(folder, second) as again:
        assert await again.versions("payload") == [made, rotated]
        assert again.private_key(rotated).private_numbers() == private
        assert await secret(again, "partner", PARTNER) == partner
        await round_trip(again)


def evaluated_again(folder: Path) -> Json:
    """Let the compiler evaluate the deployment by another clock."""
    source = Path(shutil.copytree(infra.INFRA, folder / "infra"))
    for path in source.glob("*.bicepparam"):
        if path.name != f"{SNAPSHOT.partition('.')[0]}.bicepparam":
            path.unlink()
    (again,) = azure.evaluated_again(source, str(compiler.compiler())).values()
    return cast("Json", again)


async def test_by_another_clock_and_after_a_rotation_no_key_changes(tmp_path: Path) -> None:
    second = written(tmp_path, by_another_clock(FIRST))
    await twice_with_a_rotation(tmp_path / "cloud", ROOT / "infra" / SNAPSHOT, second)


@pytest.mark.long
@pytest.mark.skipif(compiler.compiler() is None, reason="no bicep on the PATH to evaluate it again")
async def test_what_the_compiler_makes_by_another_clock_changes_no_key(tmp_path: Path) -> None:
    again = evaluated_again(tmp_path)
    assert again["predictedResources"] != FIRST["predictedResources"]
    second = written(tmp_path, again)
    await twice_with_a_rotation(tmp_path / "cloud", ROOT / "infra" / SNAPSHOT, second)


@pytest.mark.long
async def test_what_was_set_by_hand_survives_every_deployment(
    tmp_path: Path,
) -> None:
    folder = tmp_path / "cloud"
    with running(folder, SNAPSHOT) as cloud:
        queue = (await cloud.control("GET", "/partner/secrets"))["servicebus"]
        await cloud.control("PUT", f"/secrets/{cloud.vault('partner')}/{PARTNER}", queue)
        deployed = await secret(cloud, "database", DATABASE)
    with running(folder, SNAPSHOT) as again:
        assert [one["value"] for one in await secret(again, "partner", PARTNER)][-1] == queue
        assert await secret(again, "database", DATABASE) == deployed
        # It is still good: the partner keeps what it shares with whoever set it.
        async with again.session() as session:
            await again.send(session, b"by queue", "a/b")
        patience = time.monotonic() + 60
        while not await again.control("GET", "/partner-queue"):
            assert time.monotonic() < patience
            await asyncio.sleep(0.05)
        other = str(deployed[-1]["value"]).replace("database.", "other.")
        await again.database(other)
    with running(folder, written(tmp_path, by_another_clock(FIRST))) as third:
        assert [one["value"] for one in await secret(third, "partner", PARTNER)][-1] == queue
        versions = await secret(third, "database", DATABASE)
        assert versions[-1]["value"] == other


@pytest.mark.long
async def test_a_right_that_a_template_no_longer_has_stays(tmp_path: Path) -> None:
    folder = tmp_path / "cloud"
    less = copy.deepcopy(FIRST)
    less["predictedResources"] = [
        one
        for one in less["predictedResources"]
        if not (one["type"].endswith("roleAssignments") and is_sending_receipts(one))
    ]
    path = written(tmp_path, less)
    with running(folder, SNAPSHOT):
        pass
    with running(folder, path) as again:
        await sends(again)
        output = folder.with_suffix(".output").read_text()
        assert "made resources that this one no longer has" in output
        assert "Microsoft.Authorization/roleAssignments (" in output
    with running(tmp_path / "anew", path) as anew, pytest.raises(ServiceBusError):
        await sends(anew)


def is_sending_receipts(assignment: Json) -> bool:
    principal = assignment["properties"]["principalId"]
    return "/queues/receipts" in assignment["id"] and "receiver_bus" in principal


async def sends(cloud: Running) -> None:
    async with (
        cloud.bus("receiver", "receiver_bus") as client,
        client.get_queue_sender("receipts") as sender,
    ):
        await sender.send_messages(ServiceBusMessage(b"{}"))


def no_longer_made_once(document: Json) -> None:
    document["outputs"]["madeOnce"] = []


def other_tier(document: Json) -> None:
    bus = only(document, "Microsoft.ServiceBus/namespaces")
    bus["sku"].update({"name": "Premium", "tier": "Premium"})


def no_duplicate_detection(document: Json) -> None:
    queue = only(document, "Microsoft.ServiceBus/namespaces/queues", "/messages")
    queue["properties"]["requiresDuplicateDetection"] = False


def elsewhere(document: Json) -> None:
    for one in document["predictedResources"]:
        if "location" in one:
            one["location"] = "eastus"


REFUSED = {
    no_longer_made_once: "KeyCreationParametersDidNotMatchExistingKey",
    other_tier: "a namespace cannot change to or from the Premium tier",
    no_duplicate_detection: (
        "requiresDuplicateDetection: cannot change after the resource is created"
    ),
    elsewhere: "InvalidResourceLocation",
}


async def test_an_update_that_azure_refuses_ends_before_anything_changes(
    tmp_path: Path,
) -> None:
    folder = tmp_path / "cloud"
    with running(folder, SNAPSHOT) as cloud:
        key = f"{cloud.vault('payload')}/payload"
        await cloud.control("POST", f"/keys/{key}/rotate")
        versions = await cloud.versions("payload")
    kept = {path: path.read_bytes() for path in (folder / "deployed.json", folder / "partner.json")}
    for change, said in REFUSED.items():
        document = copy.deepcopy(FIRST)
        change(document)
        if document == FIRST:
            assert change is other_tier, "only a namespace can be of the other tier already"
            continue
        result = up_until_it_ends(folder, written(tmp_path, document))
        assert result.returncode == 1, change
        assert "error: Azure would refuse to deploy" in result.stderr
        assert f"over what exists in {folder}" in result.stderr
        assert "(--folder) or remove this one" in result.stderr
        assert said in result.stderr, result.stderr
        assert {path: path.read_bytes() for path in kept} == kept
    with running(folder, SNAPSHOT) as again:
        assert await again.versions("payload") == versions
        await round_trip(again)


def with_ftps(document: Json) -> None:
    for one in document["predictedResources"]:
        if one["type"] == "Microsoft.Web/sites":
            one["properties"]["siteConfig"]["ftpsState"] = "Disabled"


def on_another_plan(document: Json) -> None:
    """Let everything run on Elastic Premium, with what that takes and Flex does not."""
    with_ftps(document)
    for one in document["predictedResources"]:
        if one["type"] == "Microsoft.Web/serverfarms":
            one["sku"] = {"name": "EP1", "tier": "ElasticPremium"}
        if one["type"] == "Microsoft.Web/sites":
            del one["properties"]["functionAppConfig"]
            config = one["properties"]["siteConfig"]
            config |= {"linuxFxVersion": "Python|3.13", "use32BitWorkerProcess": False}
            config["appSettings"] += [
                {"name": "FUNCTIONS_WORKER_RUNTIME", "value": "python"},
                {"name": "FUNCTIONS_EXTENSION_VERSION", "value": "~4"},
            ]


async def test_what_azure_refuses_at_first_does_not_start_and_says_why(tmp_path: Path) -> None:
    document = copy.deepcopy(FIRST)
    with_ftps(document)
    path = written(tmp_path, document)
    result = up_until_it_ends(tmp_path / "cloud", path)
    assert result.returncode == 1
    assert (
        f"error: Azure would refuse to deploy {path}, and so does the local cloud:" in result.stderr
    )
    assert (
        "Microsoft.Web/sites/relay-sender-local: siteConfig.ftpsState: Flex Consumption does not "
        "take it: there is no FTP; basicPublishingCredentialsPolicies close publishing by password "
        "(BadRequest 51021; source: microsoft/azure-pipelines-tasks 21032"
    ) in result.stderr
    assert "Traceback" not in result.stderr
    assert not (tmp_path / "cloud").exists()


async def test_apps_on_another_plan_run_with_all_of_it(tmp_path: Path) -> None:
    document = copy.deepcopy(FIRST)
    on_another_plan(document)
    with running(tmp_path / "cloud", written(tmp_path, document)) as cloud:
        await round_trip(cloud)
