from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.pipeline.running import POLICIES_SNAPSHOT, SNAPSHOT, Running, running


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """Give the local cloud of the usual deployment."""
    with running(tmp_path_factory.mktemp("cloud") / "folder", SNAPSHOT) as up:
        yield up


@pytest.fixture(scope="module", params=[SNAPSHOT, POLICIES_SNAPSHOT])
def each_cloud(
    tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest
) -> Iterator[Running]:
    """Give the local cloud of each deployment in turn."""
    with running(tmp_path_factory.mktemp("cloud") / "folder", request.param) as up:
        yield up
