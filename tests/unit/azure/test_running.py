from __future__ import annotations

from pathlib import Path

from checks.package import ROOT
from tests.azure.running import copy_project


def test_the_copy_has_what_git_knows_and_nothing_of_azd(tmp_path: Path) -> None:
    copy_project(tmp_path)
    for name in ("azure.yaml", "function_app.py", "infra/main.bicep", "shared/apps/sender.py"):
        assert (tmp_path / name).read_bytes() == (ROOT / name).read_bytes()
    for name in (".azure", ".venv", ".local", ".git"):
        assert not (tmp_path / name).exists()
