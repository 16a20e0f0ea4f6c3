"""Every grant that access.json declares is needed: the pipeline uses it, or an operator does."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from shared.declared import Declaration, Grant, own
from tests.pipeline.everything import QUICK, all_that_a_message_can_meet, ops
from tests.pipeline.running import SNAPSHOT, Running, running, with_settings

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
