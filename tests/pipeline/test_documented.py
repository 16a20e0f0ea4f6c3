"""What docs/deploying.md says to do with an existing deployment, done step by step."""

from __future__ import annotations

import asyncio
import json
import re
from pathlib import Path

import pytest
from azure.keyvault.keys.aio import KeyClient

from local.resource_manager.existing import ExistingDeployment
from local.resource_manager.template import Template
from local.resource_manager.update import blockers
from local.resource_manager.vaults import KEY, VAULT
from tests.azure.plan import steps
from tests.pipeline.access_audit import Prover
from tests.pipeline.cloud_process import ROOT, Running, running, with_settings
from tests.pipeline.test_access import asking

pytestmark = pytest.mark.long

# The waits of a deployment, shortened: what is tried again is tried again soon.
QUICK = {"RELAY_RETRY_SCHEDULE": "1s,1s,1s,1s,1s,1s,1s", "RELAY_WAIT_SECONDS": "1"}
AWAY = {"service": "partner", "answer": "status", "status": 503}


def quick(snapshot: str, folder: Path) -> Path:
    """Give a snapshot with short waits, in a folder of its own."""
    (folder / snapshot).mkdir()
    return with_settings(snapshot, folder / snapshot, receiver=QUICK)


async def waiting(cloud: Running, payload: bytes) -> str:
    """Send a message, sealed as of now, that the partner does not take."""
    await cloud.fault(**AWAY)
    async with cloud.session() as session:
        message = await cloud.send(session, payload, "a/b")
    await cloud.entry(message, "retrying")
    return message


async def arrives(cloud: Running, message: str, payload: bytes) -> None:
    assert (await cloud.received({message}))[message].body == payload


async def proven(cloud: Running) -> list[str]:
    proof = await Prover(cloud, json.loads(cloud.snapshot.read_text())).ask_all()
    return [str(line.grant) for line in proof.differences()]


@pytest.mark.long
async def test_from_policies_to_roles_and_back_nothing_is_lost(tmp_path: Path) -> None:
    folder, late = tmp_path / "cloud", None
    for number, model in enumerate(("local-policies", "local", "local-policies")):
        payload = f"sealed before deployment {number}".encode()
        with running(folder, quick(f"{model}.snapshot.json", fresh(tmp_path, number))) as cloud:
            if late:
                await arrives(cloud, *late)
            assert await proven(cloud) == [], model
            late = (await waiting(cloud, payload), payload)


def fresh(folder: Path, number: int) -> Path:
    made = folder / str(number)
    made.mkdir()
    return made


@pytest.mark.long
async def test_machines_are_added_to_an_existing_deployment(tmp_path: Path) -> None:
    folder = tmp_path / "cloud"
    with running(folder, "local.snapshot.json") as cloud:
        versions = await cloud.versions("payload")
        assert not cloud.endpoints.get("machines")
    with running(folder, "machines.snapshot.json") as again:
        assert set(again.endpoints["machines"]) == {"reader", "merged", "split"}
        assert await again.versions("payload") == versions
        assert await proven(again) == []
        async with again.session() as session:
            message = await again.send(session, b"as before", "a/b")
        await arrives(again, message, b"as before")


async def test_a_key_is_rotated_and_its_old_version_disabled_by_its_officer(
    tmp_path: Path,
) -> None:
    folder, snapshot = tmp_path / "cloud", quick("local.snapshot.json", tmp_path)
    with running(folder, snapshot) as cloud:
        (old,) = await cloud.versions("payload")
        message = await waiting(cloud, b"sealed with the old version")
        async with asking(cloud, "key_officer", "payload", KeyClient) as officer:
            new = (await officer.rotate_key("payload")).properties.version
            listed = [
                one.version async for one in officer.list_properties_of_key_versions("payload")
            ]
            assert set(listed) == {old, new}
            await officer.update_key_properties("payload", old, enabled=False)
    # Another deployment neither enables it nor makes another one.
    with running(folder, snapshot) as again:
        assert await again.versions("payload") == [old, new]
        async with again.session() as session:
            other = await again.send(session, b"sealed with the new one", "a/b")
        await arrives(again, other, b"sealed with the new one")
        # Too early: what is sealed with it waits, uses up no attempt, and is not rejected.
        await asyncio.sleep(3)
        assert not [one for one in (await again.deliveries())[1] if one.id == message]
        assert (await again.counts("rejected"))["active"] == 0
        async with asking(again, "key_officer", "payload", KeyClient) as officer:
            await officer.update_key_properties("payload", old, enabled=True)
        await arrives(again, message, b"sealed with the old version")


def test_deleted_vaults_are_recovered_before_anything_is_deployed_again() -> None:
    """After `azd down` all else is gone, and what comes back has other principals."""
    snapshot = json.loads((ROOT / "infra" / "local.snapshot.json").read_text())
    template = Template(snapshot)
    names = frozenset(vault.name.lower() for vault in template.of(VAULT))
    refused = blockers(ExistingDeployment(Template({}), deleted_vaults=names), snapshot)
    assert len(refused) == len(names) == 4
    assert all("recover" in str(one) for one in refused)
    recovered = [
        one for one in snapshot["predictedResources"] if one["type"].startswith(f"{VAULT}")
    ]
    existing = ExistingDeployment(
        Template({"predictedResources": recovered}),
        rotated=frozenset(key.key for key in template.of(KEY)),
        recreated=frozenset(one.key for one in template.resources),
    )
    assert blockers(existing, snapshot) == []


def test_what_is_set_in_the_environment_of_azd_is_an_input() -> None:
    parameters = (ROOT / "infra" / "main.parameters.json").read_text()
    inputs = set(re.findall(r"\$\{(\w+)", parameters))
    for document in ("docs/deploying.md", "docs/virtual-machine.md", "README.md"):
        named = set(re.findall(r"azd env set (\w+)", (ROOT / document).read_text()))
        assert named <= inputs, document
    table = re.findall(
        r"^\| (`RELAY_.*?) \|", (ROOT / "docs/deploying.md").read_text(), re.MULTILINE
    )
    assert set(re.findall(r"`(RELAY_\w+)`", " ".join(table))) == {
        name for name in inputs if name.startswith("RELAY_")
    }


def test_each_step_in_a_subscription_is_named_where_it_would_show_a_claim() -> None:
    section = (ROOT / "docs" / "deploying.md").read_text().partition("## What is proven where")[2]
    assert {step.name for step in steps(60)} <= set(re.findall(r"`([a-z-]+)`", section))
