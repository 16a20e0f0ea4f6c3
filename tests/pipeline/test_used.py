"""Every grant that access.json declares is needed: the pipeline uses it, or an operator does."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Iterator
from typing import Any

import pytest

from shared.declared import Declaration, Grant, own
from tests.pipeline.running import ROOT, SNAPSHOT, Running, running, with_settings

QUICK = {"RELAY_RETRY_SCHEDULE": "1s,1s", "RELAY_WAIT_SECONDS": "1"}
TEXT = "text/plain"
CALLED = {"versions": "list"}
DECLARED = Declaration.load()
GRANTS = DECLARED.grants | DECLARED.untried
# Those that are attached to no app are deployed with machines only.
ATTACHED = {grant.identity for grant in DECLARED.grants if grant.kind == "app"}


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    folder = tmp_path_factory.mktemp("cloud")
    with running(folder / "folder", with_settings(SNAPSHOT, folder, receiver=QUICK)) as up:
        yield up


async def ops(cloud: Running, *arguments: str, given: str = "") -> None:
    command = [sys.executable, "-m", "ops", *arguments, "--folder", str(cloud.folder)]
    process = await asyncio.create_subprocess_exec(
        *command, cwd=ROOT, stdin=asyncio.subprocess.PIPE
    )
    await process.communicate(given.encode())
    assert process.returncode == 0


async def all_that_a_message_can_meet(cloud: Running) -> None:
    """Delivery, a retry, a rejection and its replay, new versions of the key and of the secret."""
    async with cloud.session() as session:
        await cloud.received({await cloud.send(session, b"at once", TEXT)})
        await cloud.fault(at="partner", answer="status", status=503, times=1)
        later = await cloud.send(session, b"later", TEXT)
        await cloud.received({later})
        await cloud.fault(at="partner", answer="status", status=400, times=1)
        rejected = await cloud.send(session, b"rejected", TEXT)
        await cloud.entry(rejected, "rejected")
        await ops(cloud, "rejected")
        await ops(cloud, "replay", "--all")
        await cloud.received({rejected})
        await cloud.control("POST", f"/keys/{cloud.vault('payload')}/payload/rotate")
        secret = (await cloud.control("GET", "/partner/secrets"))["webhook"]
        await ops(cloud, "secrets", "--replace", given=secret)
        await read_as_migrator(cloud)
        last = await cloud.send(session, b"after the rotation", TEXT)
    for message_id in (later, rejected, last):
        await cloud.entry(message_id, "delivered")


async def read_as_migrator(cloud: Running) -> None:
    """Read where the database is, as a migration in Azure does: one here is told by the cloud."""
    environment = await cloud.operator_environment("migrator")
    headers = {"X-IDENTITY-HEADER": environment["IDENTITY_HEADER"]}
    params = {"api-version": "2019-08-01", "resource": "https://vault.azure.net"}
    url = f"{cloud.endpoints['vaults'][cloud.vault('database')]}secrets/database-connection"
    async with cloud.session() as session:
        async with session.get(
            environment["IDENTITY_ENDPOINT"], params=params, headers=headers
        ) as answer:
            token = (await answer.json())["access_token"]
        async with session.get(
            url, params={"api-version": "7.6"}, headers={"Authorization": f"Bearer {token}"}
        ) as answer:
            assert answer.status == 200


async def used(cloud: Running) -> dict[Grant, dict[str, Any]]:
    return {
        Grant(one["identity"], one["kind"], one["object"], CALLED.get(operation, operation)): one
        for one in await cloud.control("GET", "/grants/used")
        for operation in [one["operation"]]
    }


def unused(found: dict[Grant, dict[str, Any]]) -> set[str]:
    """Name the declared grants, and the attachments to apps, that nothing needed."""
    missing = {
        grant
        for grant in GRANTS
        if grant.kind != "app" and grant.identity in ATTACHED | set(DECLARED.operators)
    } - found.keys()
    asked = {(grant.identity, app) for grant, one in found.items() for app in one["apps"]}
    missing |= {
        grant
        for grant in DECLARED.grants
        # What an app has of itself is for its host's own storage and telemetry.
        if grant.kind == "app"
        and grant.identity != own(grant.object)
        and (grant.identity, grant.object) not in asked
    }
    return set(map(str, missing))


async def test_what_the_proof_tries_is_on_record_and_no_use(cloud: Running) -> None:
    before = await used(cloud)
    for app in ("sender", "receiver", "tracker"):
        url = f"{cloud.endpoints[app]}/api/access"
        async with cloud.session() as session, session.get(url) as answer:
            assert answer.status == 200
    assert await used(cloud) == before
    decisions = (await cloud.control("GET", "/decisions"))["decisions"]
    tried = {one["action"].rpartition("/")[0] for one in decisions if one["probe"]}
    assert "Microsoft.KeyVault/vaults/keys/encrypt" in tried
    assert "Microsoft.ServiceBus/namespaces/messages/send" in tried


async def test_every_grant_is_used_by_the_pipeline_and_none_beside_them(cloud: Running) -> None:
    assert "encrypt: encrypt key payload" in unused(await used(cloud))
    await all_that_a_message_can_meet(cloud)
    found = await used(cloud)
    assert unused(found) == set(), "not needed: take it out of infra/access.json"
    assert set(map(str, found.keys() - GRANTS)) == set()
    await ops(cloud, "prove", "--used")
    # The shared identity is needed by both that share it.
    shared = found[Grant("database", "secret", "database-connection", "get")]
    assert set(shared["apps"]) == {"sender", "tracker"}
    assert all(one["count"] == sum(one["apps"].values()) > 0 for one in found.values())
