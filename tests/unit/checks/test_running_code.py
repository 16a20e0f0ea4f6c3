from __future__ import annotations

import copy
import shutil
from pathlib import Path
from typing import cast

import pytest

from checks.access import load
from checks.declaration import Access, DeclaredApp
from checks.running_code import problems

ROOT = Path(__file__).parents[3]
ACCESS = load(ROOT / "infra" / "access.json")


def with_another_app() -> Access:
    access = copy.deepcopy(ACCESS)
    app = {"name": "archive", "identities": [], "package": "sender_package"}
    access["apps"].append(cast("DeclaredApp", app))
    return access


def test_code_runs_each_app_that_is_declared() -> None:
    assert list(problems(ACCESS, ROOT)) == []


def test_an_app_that_no_code_runs_is_named() -> None:
    blueprint, settings, service = problems(with_another_app(), ROOT)
    assert "no code runs app archive: shared/apps/archive.py has no function blue" in blueprint
    assert "add it to APPS in shared/settings/settings.py" in settings
    assert "add a service archive to azure.yaml" in service


@pytest.mark.parametrize("source", ["", "blueprint = 1", "async def other(): ..."])
def test_a_module_without_a_blueprint_runs_nothing(tmp_path: Path, source: str) -> None:
    for name in ("azure.yaml", "shared/settings/settings.py"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(ROOT / name, tmp_path / name)
    for app in ACCESS["apps"]:
        module = tmp_path / "shared" / "apps" / f"{app['name']}.py"
        module.parent.mkdir(exist_ok=True)
        module.write_text(source if app["name"] == "sender" else "def blueprint(): ...")
    (problem,) = problems(ACCESS, tmp_path)
    assert "no code runs app sender" in problem


def test_an_app_that_is_not_declared_is_named() -> None:
    access = copy.deepcopy(ACCESS)
    access["apps"] = [app for app in access["apps"] if app["name"] != "tracker"]
    (problem,) = problems(access, ROOT)
    assert problem.startswith("app tracker has code or a service in azure.yaml")
