from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from tests.unit.local.key_vault.local_vault import SPEC, LocalVault


@pytest.fixture(scope="module")
def shared_vault(tmp_path_factory: pytest.TempPathFactory) -> LocalVault:
    """Return a vault that the tests of a file share, each with names of its own."""
    return LocalVault(tmp_path_factory.mktemp("vaults") / "v")


@pytest.fixture
def vault(tmp_path: Path) -> LocalVault:
    """Return a vault without keys."""
    return LocalVault(tmp_path / "vaults" / "v", replace(SPEC, keys=()))
