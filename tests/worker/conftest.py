from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.pipeline.cloud_process import SNAPSHOT, Running, running
from tests.worker.azure_worker import packaged


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Say why nothing of this folder runs on an older Python, instead of leaving it out."""
    needs = "azure-functions-runtime needs Python 3.13; `make PYTHON=python3.13 test` has it"
    if sys.version_info >= (3, 13):
        return
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.skip(reason=needs))


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give a fresh folder that holds the package alone."""
    return packaged(tmp_path_factory.mktemp("package"))


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """Give a local cloud; its own apps are stopped by whoever plays them."""
    with running(tmp_path_factory.mktemp("cloud") / "folder", SNAPSHOT) as up:
        yield up
