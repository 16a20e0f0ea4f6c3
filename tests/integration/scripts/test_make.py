"""What make sets up, and when it does so anew."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """Give a folder with what make reads, and an environment that this Python made there."""
    shutil.copyfile(ROOT / "Makefile", tmp_path / "Makefile")
    shutil.copytree(ROOT / "scripts", tmp_path / "scripts")
    for lock in ROOT.glob("requirements*.txt"):
        shutil.copyfile(lock, tmp_path / lock.name)
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", tmp_path / ".venv"], check=True)
    for name in ("local", "ready"):
        (tmp_path / ".venv" / name).touch()
    return tmp_path


def planned(project: Path, *arguments: str, python: str | None = None) -> str:
    """Give what make would do, without doing it."""
    # Nothing of a make that runs the tests.
    own = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    run = subprocess.run(
        ["make", "--dry-run", "--no-print-directory", *arguments],
        cwd=project,
        env=own | ({"PYTHON": python} if python else {}),
        capture_output=True,
        text=True,
        check=True,
    )
    return run.stdout


SETS_UP = "-m venv --clear .venv\n"


def test_an_environment_that_is_there_is_taken(project: Path) -> None:
    assert SETS_UP not in planned(project, "demo")
    assert SETS_UP not in planned(project, "demo", f"PYTHON={sys.executable}")
    assert SETS_UP not in planned(project, "demo", python=sys.executable)


def test_another_python_that_is_asked_for_makes_it_anew(project: Path, tmp_path: Path) -> None:
    assert SETS_UP in planned(project, "demo", "PYTHON=no-such-python")
    assert SETS_UP in planned(project, "demo", python="no-such-python")


def test_one_that_does_not_run_any_more_is_made_anew(project: Path) -> None:
    (project / ".venv" / "bin" / "python").unlink()
    (project / ".venv" / "bin" / "python").symlink_to("/gone/python3.13")
    assert SETS_UP in planned(project, "demo")


def test_a_changed_lock_makes_it_anew(project: Path) -> None:
    later = (project / ".venv" / "ready").stat().st_mtime + 10
    os.utime(project / "requirements-dev.txt", (later, later))
    assert SETS_UP not in planned(project, "demo")
    assert "-r requirements-dev.txt" in planned(project, ".venv/ready")
    os.utime(project / "requirements-local.txt", (later, later))
    assert SETS_UP in planned(project, "demo")


def test_another_folder_has_an_environment_of_its_own(project: Path) -> None:
    plan = planned(project, "demo", "VENV=.venv-3.11")
    assert "-m venv --clear .venv-3.11\n" in plan
    assert ".venv-3.11/bin/python -m local demo" in plan
    assert SETS_UP not in plan


def test_nothing_is_installed_but_by_hash(project: Path) -> None:
    shutil.rmtree(project / ".venv")
    plan = planned(project, "test", "check", "demo", "lock")
    installs = re.findall(r"pip install .*", plan)
    assert len(installs) == 4
    assert all(" --require-hashes -r requirements-" in line for line in installs)


def test_to_run_it_takes_no_more_than_the_local_cloud_needs(project: Path) -> None:
    shutil.rmtree(project / ".venv")
    assert re.findall(r"-r (\S+)", planned(project, "run")) == ["requirements-local.txt"]


def test_make_help_names_every_target(project: Path) -> None:
    makefile = (project / "Makefile").read_text()
    (targets,) = re.findall(r"^\.PHONY: (.*)$", makefile, re.MULTILINE)
    named = set(re.findall(r'echo "make (\S+)', planned(project, "help")))
    assert named == set(targets.split()) - {"help", "FORCE"}
