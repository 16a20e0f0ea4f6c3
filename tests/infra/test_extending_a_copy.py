"""All that docs/extending.md adds, in one copy of the project: compiled, checked and loaded."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from checks import compiler, infra, package
from checks.functions import findings
from checks.snapshot import Snapshot
from checks.snapshot import load as load_snapshot
from local.deployment.deployment import load as load_deployment
from shared.settings.environment import load as load_settings
from tests.infra.walkthrough import CHAPTERS, Addition, copy_of_project, declaration, extend
from tests.worker.azure_worker import running, settings_as_deployed

pytestmark = [
    pytest.mark.long,
    pytest.mark.skipif(
        compiler.compiler() is None, reason="no bicep on the PATH to compile what is added"
    ),
]
SNAPSHOT = "local.snapshot.json"
ADDED: Sequence[Addition] = [one for additions in CHAPTERS.values() for one in additions]
LOAD = """
import json, sys
from shared.settings.environment import SettingsError, load
try:
    load(json.load(sys.stdin))
except SettingsError as error:
    print(json.dumps(list(error.problems)))
"""
APPS = [app["name"] for app in declaration(ADDED)["apps"]]


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give the copy, after `make infra` of one deployment and `make format`."""
    root = copy_of_project(tmp_path_factory.mktemp("extended") / "project")
    # The compiler takes seconds for each deployment: the others are made what this one is.
    others = [one for one in (root / "infra").glob("*.bicepparam") if one.stem != "local"]
    for one in others:
        one.unlink()
    extend(root, ADDED)
    infra.build(root / "infra")
    for one in others:
        shutil.copyfile(root / "infra" / SNAPSHOT, one.with_suffix(".snapshot.json"))
    assert check(root, "checks.tables", "write") == ""
    return root


def check(root: Path, module: str, *arguments: str) -> str:
    """Run a check of the copy itself; return what it finds wrong."""
    done = subprocess.run(
        [sys.executable, "-m", module, *arguments],
        cwd=root,
        capture_output=True,
        text=True,
        check=False,
    )
    return "" if done.returncode == 0 else done.stdout + done.stderr


def settings(project: Path, app: str) -> dict[str, str]:
    """Return the settings of an app as deployed."""
    return settings_as_deployed(load_deployment(project / "infra" / SNAPSHOT), app)


@pytest.mark.parametrize("module", ["tables", "documents", "links", "hosting", "package"])
def test_nothing_that_make_check_compares_differs(project: Path, module: str) -> None:
    assert check(project, f"checks.{module}") == ""


@pytest.mark.parametrize("arguments", [("format", "--check"), ("check",)])
def test_its_code_is_formatted_and_linted(project: Path, arguments: Sequence[str]) -> None:
    assert check(project, "ruff", *arguments, "shared") == ""


def test_the_doctor_of_functions_finds_what_it_found_before(project: Path) -> None:
    path = project / "infra" / SNAPSHOT
    before = findings(package.ROOT, load_snapshot(infra.INFRA / SNAPSHOT), "local")
    assert findings(project, load_snapshot(path), "local") == before


@pytest.mark.skipif(sys.version_info < (3, 13), reason="azure-functions-runtime needs 3.13")
@pytest.mark.parametrize("app", APPS)
async def test_each_app_loads_under_the_settings_that_the_compiler_gave_it(
    project: Path, tmp_path: Path, app: str
) -> None:
    package.copy(tmp_path / "package", project)
    environment = settings(project, app)
    async with running(tmp_path / "package", environment, tmp_path / "log") as worker:
        functions = worker.indexed["functions"]
    assert {"tracker": "version", "auditor": "audit"}.get(app, "access") in functions


@pytest.mark.parametrize(
    ("app", "added"),
    [
        ("sender", {"RELAY_QUEUE_ARCHIVE", "RELAY_KEY_ARCHIVE", "RELAY_IDENTITY_ARCHIVE_ENCRYPT"}),
        ("tracker", {"RELAY_IDENTITY_LEDGER_READER"}),
    ],
)
def test_an_app_names_what_its_code_wants_and_the_deployment_does_not_give(
    project: Path, app: str, added: set[str]
) -> None:
    """The code of the copy, in the deployment without what is added."""
    given = settings_as_deployed(load_deployment(infra.INFRA / SNAPSHOT), app)
    load_settings(given)
    done = subprocess.run(
        [sys.executable, "-c", LOAD],
        cwd=project,
        input=json.dumps(given),
        capture_output=True,
        text=True,
        check=True,
    )
    named = json.loads(done.stdout)
    assert {one.partition(" ")[0] for one in named} == added
    assert all("is missing" in one for one in named)


def test_another_partner_is_another_deployment_that_has_nothing_of_the_first(
    project: Path,
) -> None:
    bicep = compiler.compiler()
    assert bicep
    folder = project / "infra"
    first = load_snapshot(folder / SNAPSHOT)
    other = (folder / "local.bicepparam").read_text()
    for text in ("'relay-local'", "'local'"):
        assert other.count(text) == 1
        other = other.replace(text, text.replace("local", "other"))
    (folder / "other.bicepparam").write_text(other)
    compiler.succeed(folder, bicep, "snapshot", "other.bicepparam", *compiler.PLACE)
    second = load_snapshot(folder / "other.snapshot.json")
    assert len(ids(second)) == len(ids(first))
    written = json.dumps(second).lower()
    assert [one for one in ids(first) if one in written] == []


def ids(snapshot: Snapshot) -> set[str]:
    return {str(resource["id"]).lower() for resource in snapshot["predictedResources"]}
