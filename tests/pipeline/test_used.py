"""Every grant that access.json declares is needed: the pipeline uses it, or an operator does."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from ops.access_comparison import GrantUse, unused
from shared.access.declaration import Declaration, Grant
from tests.pipeline.cloud_process import SNAPSHOT, Running, running, with_settings
from tests.pipeline.scenario import QUICK, all_that_a_message_can_meet, done

pytestmark = pytest.mark.long

DECLARED = Declaration.load()
GRANTS = DECLARED.grants | DECLARED.unprobed


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    folder = tmp_path_factory.mktemp("cloud")
    with running(folder / "folder", with_settings(SNAPSHOT, folder, receiver=QUICK)) as up:
        yield up


async def used(cloud: Running) -> dict[Grant, dict[str, Any]]:
    listed: list[dict[str, Any]] = await cloud.control("GET", "/grants/used")
    return dict(zip((use.grant for use in GrantUse.from_json(listed)), listed, strict=True))


def not_needed(found: dict[Grant, dict[str, Any]]) -> set[str]:
    """Name the declared grants, and the attachments to apps, that nothing needed."""
    return set(map(str, unused(DECLARED, GrantUse.from_json(list(found.values())))))


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


async def test_every_grant_is_used_by_the_pipeline_and_no_other_is(cloud: Running) -> None:
    assert "encrypt: encrypt key payload" in not_needed(await used(cloud))
    await all_that_a_message_can_meet(cloud)
    found = await used(cloud)
    assert not_needed(found) == set(), "not needed: take it out of infra/access.json"
    assert set(map(str, found.keys() - GRANTS)) == set()
    await done(cloud, "prove", "--used")
    # The shared identity is needed by both that share it.
    shared = found[Grant("database", "secret", "database-connection", "get")]
    assert set(shared["apps"]) == {"sender", "tracker"}
    assert all(one["count"] == sum(one["apps"].values()) > 0 for one in found.values())
