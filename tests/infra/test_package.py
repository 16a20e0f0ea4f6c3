"""What is deployed is enough for every app, and nothing else."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from checks import functions, package, snapshot
from local.deployment import load, settings_of

INFRA = package.ROOT / "infra"
DEPLOYMENT = load(INFRA / "local.snapshot.json")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give a fresh folder that holds the package alone."""
    made = tmp_path_factory.mktemp("package")
    package.copy(made)
    return made


@pytest.mark.parametrize("app", ["sender", "receiver", "tracker"])
def test_each_app_starts_from_the_package_alone(folder: Path, app: str) -> None:
    (spec,) = (spec for spec in DEPLOYMENT.apps if spec.app == app)
    vaults = {v.resource_id: f"https://{v.name}.vault.azure.net/" for v in DEPLOYMENT.vaults}
    program = (
        "import function_app, sys;"
        "print(len(function_app.app.get_functions()));"
        "print(*[m.__file__ for n, m in sys.modules.items() if n.split('.')[0] == 'shared'])"
    )
    run = subprocess.run(
        [sys.executable, "-c", program],
        cwd=folder,
        # The secure parameters of a deployment are no matter here.
        env=dict(settings_of(spec, vaults)),
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    count, modules = run.stdout.splitlines()
    assert int(count) > 0
    assert all(Path(module).is_relative_to(folder) for module in modules.split())


def test_the_package_has_only_what_the_apps_run() -> None:
    there = {str(file) for file in package.files() if file.parts[0] != "shared"}
    assert there == {"function_app.py", "host.json", "requirements.txt", "infra/access.json"}


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """Give a source folder of few files, to plant faults in."""
    package.copy(tmp_path)
    (tmp_path / ".funcignore").write_text("tests\n*_env\n!keep_env\n__pycache__\n")
    return tmp_path


def test_funcignore_is_read_as_azd_reads_it(source: Path) -> None:
    for name in ("tests/a.py", "my_env/b.py", "keep_env/c.py", "shared/__pycache__/d.pyc"):
        (source / name).parent.mkdir(exist_ok=True)
        (source / name).write_text("")
    there = {str(file) for file in package.files(source)}
    assert "keep_env/c.py" in there
    assert there.isdisjoint({"tests/a.py", "my_env/b.py", "shared/__pycache__/d.pyc"})


def found(source: Path, deployment: snapshot.Snapshot) -> set[str]:
    return {finding.check for finding in functions.findings(source, deployment, "planted")}


def test_faults_in_the_package_are_found(source: Path) -> None:
    deployment = snapshot.load(INFRA / "local.snapshot.json")
    sound = found(source, deployment)
    host = (source / "host.json").read_text()
    (source / "host.json").write_text(host.replace("[4.*, 5.0.0)", "[3.*, 4.0.0)"))
    requirements = (source / "requirements.txt").read_text()
    lines = [line for line in requirements.splitlines() if "azure-functions" not in line]
    (source / "requirements.txt").write_text("\n".join([*lines, "azure-functions-worker"]))
    assert found(source, deployment) - sound >= {
        "check_extension_bundle_v4",
        "check_azure_functions_library",
        "check_azure_functions_worker",
    }


def test_faults_in_the_deployment_are_found(source: Path) -> None:
    deployment = snapshot.load(INFRA / "local.snapshot.json")
    sound = found(source, deployment)
    for site in snapshot.of_type(deployment, "Microsoft.Web/sites"):
        settings = site["properties"]["siteConfig"]["appSettings"]
        settings[:] = [s for s in settings if not s["name"].startswith("RELAY_BUS__")]
        settings.append({"name": "FUNCTIONS_WORKER_RUNTIME", "value": "python"})
    assert found(source, deployment) - sound == {
        "check_binding_connection_resolution",
        "check_flex_deprecated_settings",
    }


def test_a_doctor_that_sees_no_apps_is_told(source: Path) -> None:
    deployment = snapshot.load(INFRA / "local.snapshot.json")
    plans = snapshot.of_type(deployment, "Microsoft.Web/serverfarms")
    sites = snapshot.of_type(deployment, "Microsoft.Web/sites")
    for unknown in (*plans, *sites):
        unknown["type"] += "Unknown"
    with pytest.raises(functions.DoctorError):
        functions.findings(source, deployment, "planted")
