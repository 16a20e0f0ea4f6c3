"""Every supported deployment boots here, delivers, keeps its ledger, and gives what is declared."""

from __future__ import annotations

from pathlib import Path

import pytest

from checks.variants import VARIANTS
from tests.pipeline.cloud_process import SNAPSHOT, Running, running, with_settings
from tests.pipeline.scenario import QUICK, all_that_a_message_can_meet, done

pytestmark = pytest.mark.long

# The usual one has all other tests.
OTHERS = [name for name in VARIANTS if f"{name}.snapshot.json" != SNAPSHOT]


async def carried(cloud: Running) -> None:
    payloads = [b"one", b"\x00\xff" * 1000, b"x" * 190_000]
    async with cloud.session() as session:
        ids = [await cloud.send(session, payload, "a/b") for payload in payloads]
    arrived = await cloud.received(set(ids))
    assert [arrived[one].body for one in ids] == payloads
    for one in ids:
        assert (await cloud.entry(one, "delivered"))["content_type"] == "a/b"


@pytest.mark.parametrize("name", OTHERS)
async def test_each_choice_delivers_and_gives_what_is_declared(tmp_path: Path, name: str) -> None:
    snapshot = with_settings(f"{name}.snapshot.json", tmp_path, receiver=QUICK)
    with running(tmp_path / "folder", snapshot) as cloud:
        await carried(cloud)
        await all_that_a_message_can_meet(cloud)
        # What is granted works and is needed, and everything else is refused.
        await done(cloud, "prove", "--used")
