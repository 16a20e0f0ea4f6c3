"""One local cloud for all conformance tests, or with AZURE=1 a resource group in Azure."""

from __future__ import annotations

import os
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.conformance.target import SNAPSHOT, NoTargetError, Target, azure_target, local_target
from tests.pipeline.cloud_process import running

_FOLDER = Path(__file__).parent


@pytest.fixture(scope="session")
def target(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Target]:
    """Give what the tests run against."""
    if os.environ.get("AZURE") == "1":
        try:
            found = azure_target(os.environ.get("GROUP"))
        except NoTargetError as error:
            pytest.exit(str(error), returncode=3)
        yield found
        return
    with running(tmp_path_factory.mktemp("conformance") / "folder", SNAPSHOT) as up:
        yield local_target(up.folder)


@pytest.fixture
def unused() -> Callable[[str], str]:
    """Give a maker of names that nothing has yet: in Azure a deleted key keeps its name."""
    return lambda prefix: f"{prefix}-{uuid.uuid4().hex[:12]}"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Have all of them run with the long ones: the rest of the tests needs no second cloud."""
    for item in items:
        if item.path.is_relative_to(_FOLDER):
            item.add_marker(pytest.mark.long)
