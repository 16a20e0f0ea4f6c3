from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import pytest

from tests.attacks.attacker import Attacker
from tests.pipeline.cloud_process import SNAPSHOT, Running, running


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """Give the local cloud of the usual deployment; it logs at its most detailed level."""
    with running(
        tmp_path_factory.mktemp("cloud") / "folder", SNAPSHOT, "--log-level", "debug"
    ) as up:
        yield up


@pytest.fixture
async def attacker(cloud: Running) -> AsyncIterator[Attacker]:
    """Give somebody who has code in the sender; nothing secret shows while they are at work."""
    async with Attacker.inside(cloud, "sender") as found:
        yield found
        await found.assert_nothing_showed()
