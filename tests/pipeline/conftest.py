from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import pytest

from tests.pipeline.cloud_process import POLICIES_SNAPSHOT, SNAPSHOT, Running, running
from tests.pipeline.ops_cli import left, ops, taken


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """Give the local cloud of the usual deployment."""
    with running(tmp_path_factory.mktemp("cloud") / "folder", SNAPSHOT) as up:
        yield up


@pytest.fixture(
    scope="module",
    params=[SNAPSHOT, pytest.param(POLICIES_SNAPSHOT, marks=pytest.mark.long)],
)
def each_cloud(
    tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest
) -> Iterator[Running]:
    """Give the local cloud of each deployment in turn; the second in test-long, but see BOTH."""
    with running(tmp_path_factory.mktemp("cloud") / "folder", request.param) as up:
        yield up


@pytest.fixture
async def still(cloud: Running) -> AsyncIterator[Running]:
    """Give the cloud with nobody taking messages, and nothing rejected before and after."""
    await cloud.control("POST", "/apps/receiver/stop")
    yield cloud
    if await left(cloud):
        await ops(cloud, "replay", "--all")
    await taken(cloud)
