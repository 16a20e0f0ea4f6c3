"""Every supported deployment boots here, delivers, keeps its ledger, and gives what is declared."""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path

import pytest

from checks.choices import CHOICES
from tests.pipeline.running import POLICIES_SNAPSHOT, ROOT, SNAPSHOT, Running, running

# Those of `each_cloud` have more tests than these.
OTHERS = [name for name in CHOICES if f"{name}.snapshot.json" not in (SNAPSHOT, POLICIES_SNAPSHOT)]


async def carried(cloud: Running) -> None:
    payloads = [b"one", b"\x00\xff" * 1000, b"x" * 190_000]
    async with cloud.session() as session:
        ids = [await cloud.send(session, payload, "a/b") for payload in payloads]
    arrived = await cloud.received(set(ids))
    assert [arrived[one].body for one in ids] == payloads
    for one in ids:
        assert (await cloud.entry(one, "delivered"))["content_type"] == "a/b"


async def proven(cloud: Running) -> None:
    """Ask every app for everything: what is granted works, and everything else is refused."""
    command = (sys.executable, "-m", "ops", "prove", "--json", "--folder", str(cloud.folder))
    process = await asyncio.create_subprocess_exec(
        *command, cwd=ROOT, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    out, err = await process.communicate()
    assert process.returncode == 0, (out.decode(), err.decode())
    assert json.loads(out)["proven"]


@pytest.mark.parametrize("name", OTHERS)
async def test_each_choice_delivers_and_gives_what_is_declared(tmp_path: Path, name: str) -> None:
    with running(tmp_path / "folder", f"{name}.snapshot.json") as cloud:
        await carried(cloud)
        await proven(cloud)
