"""What is deployed is enough for every app, and nothing else."""

from __future__ import annotations

import shutil
import subprocess
import sys
from importlib.metadata import distributions
from pathlib import Path

import pytest
from packaging.utils import canonicalize_name

from checks import functions, package, snapshot
from checks.lock_files import read_lock
from local.deployment.deployment import load, settings_of
from tests import installing

INFRA = package.ROOT / "infra"
DEPLOYMENT = load(INFRA / "local.snapshot.json")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give the folder of the package, installed from its lock into an empty one."""
    return installing.installed(tmp_path_factory)


@pytest.mark.parametrize("app", ["sender", "receiver", "tracker"])
@pytest.mark.long
def test_each_app_starts_from_the_package_and_its_lock_alone(folder: Path, app: str) -> None:
    (spec,) = (spec for spec in DEPLOYMENT.apps if spec.app == app)
    vaults = {v.resource_id: f"https://{v.name}.vault.azure.net/" for v in DEPLOYMENT.vaults}
    program = (
        "import function_app, sys;"
        "print(len(function_app.app.get_functions()));"
        "print(*{m.__file__ for m in list(sys.modules.values()) if getattr(m, '__file__', None)})"
    )
    # The secure parameters of a deployment are no matter here.
    settings = dict(settings_of(spec, vaults))
    run = installing.run(folder, "-c", program, environment=settings)
    assert run.returncode == 0, run.stderr
    count, modules = run.stdout.splitlines()
    assert int(count) > 0
    foreign = [m for m in modules.split() if "site-packages" in m and not m.startswith(f"{folder}")]
    assert foreign == []
    assert f"{folder}/shared/settings/settings.py" in modules.split()


@pytest.mark.skipif(sys.version_info < (3, 13), reason="the worker's library needs Python 3.13")
@pytest.mark.long
def test_the_workers_library_runs_with_the_packages_of_the_lock(
    folder: Path, tmp_path: Path
) -> None:
    installing.install_worker(tmp_path / "worker")
    program = (
        "import azure.functions, azure_functions_runtime;"
        "print(azure_functions_runtime.__file__, azure.functions.__file__)"
    )
    run = installing.run(folder, "-c", program, worker=tmp_path / "worker")
    assert run.returncode == 0, run.stderr
    library, functions_ = map(Path, run.stdout.split())
    assert library.is_relative_to(tmp_path / "worker")
    assert functions_.is_relative_to(folder)


@pytest.mark.long
def test_what_is_installed_is_what_the_lock_names_for_this_python(folder: Path) -> None:
    there = {
        (canonicalize_name(found.name), found.version)
        for found in distributions(path=[str(folder / installing.PACKAGES)])
    }
    named = {
        (entry.name, str(entry.version))
        for entry in read_lock(folder / "requirements.txt")
        if entry.requirement.marker is None or entry.requirement.marker.evaluate()
    }
    assert there == named


def test_a_file_that_is_not_the_one_of_the_lock_is_not_installed(tmp_path: Path) -> None:
    lock = tmp_path / "requirements.txt"
    lock.write_text(f"pyjwt==2.15.1 --hash=sha256:{'0' * 64}\n")
    with pytest.raises(AssertionError, match="DO NOT MATCH THE HASHES"):
        installing.install(lock, tmp_path / "installed")


def test_the_package_has_only_what_the_apps_run() -> None:
    modules = {path.relative_to(package.ROOT) for path in package.ROOT.glob("shared/**/*.py")}
    assert len(modules) > 30
    assert set(package.files()) == modules | {
        Path("function_app.py"),
        Path("host.json"),
        Path("requirements.txt"),
        Path("infra/access.json"),
    }
    assert package.problems() == []


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """Give a source folder that is the package, and `.funcignore`, to plant faults in."""
    package.copy(tmp_path)
    shutil.copyfile(package.ROOT / ".funcignore", tmp_path / ".funcignore")
    return tmp_path


STRAYS = (
    ".env",
    ".git/config",
    ".github/workflows/ci.yml",
    ".local/endpoints.json",
    ".azure/relay/.env",
    ".venv/lib/site-packages/secret.py",
    "local.settings.json",
    "key.pem",
    "ledger.sqlite",
    "notes",
    "copy of function_app.py",
    "my_function_app.py",
    "function_app.pyc",
    "requirements-dev.txt",
    "requirements.in",
    "__pycache__/function_app.cpython-313.pyc",
    "infra/main.bicep",
    "infra/main.parameters.json",
    "infra/secret.json",
    "infra/old/access.json",
    "local/access.json",
    "shared/.env",
    "shared/key.pem",
    "shared/ledger.sqlite",
    "shared/local.settings.json",
    "shared/py",
    "shared/notes.md",
    "shared/__pycache__/vault.cpython-313.pyc",
    "shared/__pycache__/vault.py",
    "shared/.hidden/key.py",
    "shared/deeper/shared/key.py",
    "deeper/shared/key.py",
    "deeper/function_app.py",
    "Shared/key.py",
    "sharedx/key.py",
    "\u79d8\u5bc6/key.pem",
    "\u79d8\u5bc6/\u79d8\u5bc6.txt",
)


def plant(source: Path, name: str) -> None:
    (source / name).parent.mkdir(parents=True, exist_ok=True)
    (source / name).write_text("secret")


def test_a_stray_file_never_travels_whoever_reads(source: Path) -> None:
    sound = package.files(source)
    for name in STRAYS:
        plant(source, name)
    assert package.files(source) == sound
    assert package.files_of_func(source) == sound
    assert package.problems(source) == []


def test_funcignore_is_read_as_git_reads_it(source: Path) -> None:
    sound = package.files(source)
    for name in STRAYS:
        if not name.startswith(".git/"):
            plant(source, name)
    git = ("git", "-c", "core.quotePath=false", "-C", str(source))
    subprocess.run([*git, "init", "--quiet"], check=True)
    listed = subprocess.run(
        [*git, "ls-files", "--others", "--exclude-from=.funcignore"],
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    assert sorted(Path(name) for name in listed.splitlines()) == sound


@pytest.mark.parametrize(
    ("lines", "azd", "func"),
    [
        # The last line that matches decides for azd, a line with ! for func.
        (["*", "!/a.txt", "/a.txt"], set(), {"a.txt", "a.txt.old"}),
        # A folder that is not let in hides what is in it from azd, and is no matter to func.
        (["*", "!/d/a.txt"], set(), {"d/a.txt", "d/a.txt.old"}),
        # A folder that is let in: to func that is all that begins so.
        (["*", "!/d/"], set(), {"d/a.txt", "d/a.txt.old"}),
        (["*", "!/[d]/", "/d/*", "!/d/a.txt"], {"d/a.txt"}, {"d/a.txt", "d/a.txt.old"}),
        # A name counts at any depth for azd, at the top alone for func.
        (["a.txt"], {"a.txt.old", "d/a.txt.old"}, {"d/a.txt", "d/a.txt.old"}),
        # A star in a name at the top takes slashes with azd; two take any number of folders.
        (["/*", "!/d/"], set(), {"d/a.txt", "d/a.txt.old"}),
        (["**/a.txt"], {"a.txt.old", "d/a.txt.old"}, {"a.txt", "a.txt.old"}),
        (["d/**"], {"a.txt", "a.txt.old"}, {"a.txt", "a.txt.old"}),
        (["# a.txt", "", "d"], {"a.txt", "a.txt.old"}, {"a.txt", "a.txt.old"}),
    ],
)
def test_the_two_readers_differ_as_they_do(
    tmp_path: Path, lines: list[str], azd: set[str], func: set[str]
) -> None:
    for name in ("a.txt", "a.txt.old", "d/a.txt", "d/a.txt.old"):
        plant(tmp_path, name)
    (tmp_path / ".funcignore").write_text("\ufeff" + "\r\n".join([*lines, "/.funcignore"]))
    assert {f.as_posix() for f in package.files(tmp_path)} == azd
    assert {f.as_posix() for f in package.files_of_func(tmp_path)} == func


@pytest.mark.parametrize("name", ["host.json.bak", "shared/azure/vault.py.orig", "\u79d8\u5bc6"])
def test_what_only_func_would_deploy_is_named(source: Path, name: str) -> None:
    plant(source, name)
    assert package.problems(source) == [f"{name}: func would deploy it: take it away"]
    assert Path(name) not in package.files(source)


def found(source: Path, deployment: snapshot.Snapshot) -> set[str]:
    return {finding.check for finding in functions.findings(source, deployment, "planted")}


def test_faults_in_the_package_are_found(source: Path) -> None:
    deployment = snapshot.load(INFRA / "local.snapshot.json")
    sound = found(source, deployment)
    host = (source / "host.json").read_text()
    (source / "host.json").write_text(host.replace("[4.*, 5.0.0)", "[3.*, 4.0.0)"))
    requirements = (source / "requirements.txt").read_text()
    lines = [line for line in requirements.splitlines() if "azure-functions==" not in line]
    (source / "requirements.txt").write_text("\n".join([*lines, "azure-functions-worker==1"]))
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


def test_a_doctor_that_sees_no_apps_fails(source: Path) -> None:
    deployment = snapshot.load(INFRA / "local.snapshot.json")
    plans = snapshot.of_type(deployment, "Microsoft.Web/serverfarms")
    sites = snapshot.of_type(deployment, "Microsoft.Web/sites")
    for unknown in (*plans, *sites):
        unknown["type"] += "Unknown"
    with pytest.raises(functions.DoctorError):
        functions.findings(source, deployment, "planted")
