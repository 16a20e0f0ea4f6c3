"""What the workflows run is fixed, and zizmor, which `make check` runs, names what is not."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from checks.package import ROOT

WORKFLOW = ROOT / ".github" / "workflows" / "ci.yml"
TEXT = WORKFLOW.read_text()
CI: dict[str, Any] = yaml.safe_load(TEXT)
DEPENDABOT: dict[str, Any] = yaml.safe_load((ROOT / ".github" / "dependabot.yml").read_text())


def found(folder: Path) -> str:
    """Run zizmor over a folder as `make check` does; what it says of it."""
    (line,) = (line for line in (ROOT / "Makefile").read_text().splitlines() if "zizmor" in line)
    _, *options = line.split()
    run = subprocess.run(
        [Path(sys.executable).with_name("zizmor"), "--color=never", *options],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (run.returncode == 0) == run.stdout.startswith("No findings"), run.stderr
    return run.stdout


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Give a folder that has the workflows, to plant faults in."""
    shutil.copytree(ROOT / ".github", tmp_path / ".github")
    return tmp_path


def test_the_workflows_are_sound(folder: Path) -> None:
    assert found(folder) == "No findings to report. Good job!\n"


PLANTED = {
    "unpinned-uses": (r"actions/checkout@\S+ # \S+", "actions/checkout@v7"),
    "artipacked": (r"\n *persist-credentials: false", ""),
    "excessive-permissions": (r"permissions: \{\}", "permissions: write-all"),
    "template-injection": ("make \\$WHAT", "make ${{ github.head_ref }}"),
    "concurrency-limits": (r"(?m)^concurrency:(.*\n)(  .*\n)+", ""),
    "dangerous-triggers": ("  pull_request:", "  pull_request_target:"),
}


@pytest.mark.parametrize("audit", PLANTED)
def test_a_planted_fault_is_named(folder: Path, audit: str) -> None:
    before, after = PLANTED[audit]
    planted, count = re.subn(before, after, TEXT, count=1)
    assert count
    (folder / ".github" / "workflows" / "ci.yml").write_text(planted)
    assert f"[{audit}]" in found(folder)


def test_updates_wait_until_others_have_tried_them(folder: Path) -> None:
    file = folder / ".github" / "dependabot.yml"
    file.write_text(file.read_text().replace("default-days: 7", "default-days: 0"))
    assert "[dependabot-cooldown]" in found(folder)
    # Of the two that read requirements files only uv writes a lock for every Python and system.
    assert [u["package-ecosystem"] for u in DEPENDABOT["updates"]] == ["uv", "github-actions"]


def test_the_compiler_is_run_only_if_it_is_the_very_file() -> None:
    assert re.fullmatch(r"[0-9a-f]{64}", CI["env"]["BICEP_SHA256"])
    (script,) = (
        step["run"] for step in CI["jobs"]["test"]["steps"] if "bicep" in step.get("run", "")
    )
    assert script.index("sha256sum --check") < script.index("chmod +x")


def test_3_13_comes_first_and_the_oldest_is_tested_too() -> None:
    jobs = CI["jobs"]["test"]["strategy"]["matrix"]["include"]
    assert [(job["python"], job["what"]) for job in jobs] == [
        ("3.13", "check demo test"),
        ("3.11", "check demo test"),
        ("3.13", "test-long"),
    ]


def test_both_systems_that_the_readme_names_are_tested() -> None:
    readme = (ROOT / "README.md").read_text()
    assert "Linux, macOS, or Windows with [WSL]" in readme
    systems = {job["runs-on"].partition("-")[0] for job in CI["jobs"].values()}
    assert systems == {"ubuntu", "macos"}
