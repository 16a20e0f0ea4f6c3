"""Which Python is set up with: tried on machines that have few, made of the one that runs this."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
SCRIPT = ROOT / "scripts" / "python.sh"
TOOLS = ("sh", "ls", "sed", "grep", "sort", "env")


class Machine:
    """A machine with nothing but `sh` and its tools, and what is put on it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.path = folder / "bin"
        self.path.mkdir()
        for tool in TOOLS:
            found = shutil.which(tool)
            assert found
            (self.path / tool).symlink_to(found)

    def program(self, name: str, text: str, folder: Path | None = None) -> Path:
        """Put a program on the path, or into another folder."""
        file = (folder or self.path) / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(f"#!/bin/sh\n{text}\n")
        file.chmod(0o755)
        return file

    def python(self, name: str, version: str, folder: Path | None = None, lacks: str = "") -> Path:
        """Put a Python there that takes itself for another version, at its own place."""
        file = (folder or self.path) / name
        numbers = tuple(int(number) for number in version.split("."))
        before = (
            f"import sys; sys.version_info = {numbers}; sys._base_executable = '{file}'\n"
            f"for name in {lacks.split()}: sys.modules[name] = None\n"
        )
        return self.program(
            name,
            'case "$1" in -c) ;; *) exit 2 ;; esac; shift; code=$1; shift\n'
            f'exec {sys.executable} -c "{before}$code" "$@"',
            folder,
        )

    def shim(self, name: str, *versions: str) -> None:
        """Put pyenv's shim there: it refuses, unless a version that it has is switched on."""
        root = self.folder / "pyenv"
        cases = "".join(f'{v}) exec "{root}/versions/{v}/bin/{name}" "$@" ;; ' for v in versions)
        self.program(name, f'case "$PYENV_VERSION" in {cases} esac; exit 127', root / "shims")

    def run(
        self, *arguments: str, path: str = "", **environment: str
    ) -> subprocess.CompletedProcess[str]:
        """Run the script there."""
        return subprocess.run(
            ["sh", str(SCRIPT), *arguments],
            env={"PATH": f"{path}{self.path}", "HOME": str(self.folder), **environment},
            capture_output=True,
            text=True,
            check=False,
        )

    def chosen(self, *arguments: str, path: str = "", **environment: str) -> str:
        """Run the script there, and give what it chose."""
        run = self.run(*arguments, path=path, **environment)
        assert (run.returncode, run.stderr) == (0, "")
        return run.stdout.removesuffix("\n")

    def refused(self, *arguments: str, **environment: str) -> str:
        """Run the script there, and give the one line with which it refused."""
        run = self.run(*arguments, **environment)
        assert (run.returncode, run.stdout) == (1, "")
        (line,) = run.stderr.splitlines()
        return line


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    """Give a machine without any Python."""
    return Machine(tmp_path)


def test_where_there_is_none_it_says_what_to_do(machine: Machine) -> None:
    refusal = machine.refused()
    assert "needs Python 3.13, or at least 3.11" in refusal
    assert "https://www.python.org/downloads/" in refusal
    assert "make PYTHON=" in refusal


def test_3_13_comes_first(machine: Machine) -> None:
    machine.python("python3", "3.14.0")
    machine.python("python3.12", "3.12.7")
    wanted = machine.python("python3.13", "3.13.1")
    assert machine.chosen() == f"{wanted}"


@pytest.mark.parametrize("version", ["3.11.0", "3.12.4", "3.13.0", "3.14.1"])
def test_without_a_3_13_python3_is_taken_from_3_11_on(machine: Machine, version: str) -> None:
    wanted = machine.python("python3", version)
    assert machine.chosen() == f"{wanted}"


def test_a_python3_that_is_too_old_is_not_taken(machine: Machine) -> None:
    machine.python("python3", "3.10.12")
    assert "found none" in machine.refused()
    wanted = machine.python("python3.11", "3.11.2")
    assert machine.chosen() == f"{wanted}"


def test_a_shim_that_refuses_to_run_is_not_taken(machine: Machine) -> None:
    machine.program("python3.13", "echo 'pyenv: python3.13: command not found' >&2; exit 127")
    wanted = machine.python("python3", "3.12.1")
    assert machine.chosen() == f"{wanted}"


def test_a_program_of_that_name_that_is_another_version_is_not_taken(machine: Machine) -> None:
    machine.python("python3.13", "3.12.1")
    wanted = machine.python("python3", "3.11.5")
    assert machine.chosen() == f"{wanted}"


def test_a_3_13_that_cannot_make_environments_is_not_taken(machine: Machine) -> None:
    machine.python("python3.13", "3.13.1", lacks="ensurepip")
    wanted = machine.python("python3", "3.11.5")
    assert machine.chosen() == f"{wanted}"


def pyenv(machine: Machine, *versions: str, broken: str = "") -> dict[str, Path]:
    """Put versions under pyenv, none of them switched on; `broken` does not run."""
    root = machine.folder / "pyenv"
    made = {}
    for version in versions:
        minor = ".".join(version.split(".")[:2])
        folder = root / "versions" / version / "bin"
        made[version] = machine.python(f"python{minor}", version, folder)
        if version == broken:
            machine.program(f"python{minor}", "exit 126", folder)
    (root / "versions" / "3.13-dev" / "bin").mkdir(parents=True)
    (root / "versions" / "3.13.99rc1" / "bin").mkdir(parents=True)
    (root / "versions" / "work").mkdir(parents=True)
    machine.shim("python3.13", *(v for v in versions if v.startswith("3.13.")))
    return made


PYENV: Mapping[str, Mapping[str, str]] = {
    "by PYENV_ROOT": {"PYENV_ROOT": "{0}/pyenv"},
    "by its shim on the path": {"path": "{0}/pyenv/shims:"},
    "in the home folder": {"HOME": "{0}/home"},
    "by its command, which says where": {"path": "{0}/where:"},
    "by its command, which says which, and a shim": {"path": "{0}/which:{0}/elsewhere:"},
}


@pytest.mark.parametrize("how", PYENV)
def test_a_3_13_that_answers_only_under_pyenv_is_found(machine: Machine, how: str) -> None:
    made = pyenv(machine, "3.11.7", "3.13.0")
    machine.python("python3", "3.11.7")
    root = machine.folder / "pyenv"
    (machine.folder / "home").mkdir()
    (machine.folder / "home" / ".pyenv").symlink_to(root)
    (machine.folder / "elsewhere").symlink_to(root / "shims")
    machine.program("pyenv", f'[ "$1" != root ] || echo {root}', machine.folder / "where")
    machine.program("pyenv", '[ "$1" != versions ] || echo 3.13.0', machine.folder / "which")
    given = {name: value.format(machine.folder) for name, value in PYENV[how].items()}
    assert machine.chosen(**given) == f"{made['3.13.0']}"
    assert machine.chosen("3.13", **given) == f"{made['3.13.0']}"
    assert "3.14 is not here" in machine.refused("3.14")


def test_the_newest_3_13_of_pyenv_that_runs_is_taken(machine: Machine) -> None:
    made = pyenv(machine, "3.13.2", "3.13.11", "3.13.9", "3.14.0", broken="3.13.11")
    root = f"{machine.folder}/pyenv"
    assert machine.chosen(PYENV_ROOT=root) == f"{made['3.13.9']}"


def test_what_is_on_the_path_comes_before_what_is_switched_off(machine: Machine) -> None:
    pyenv(machine, "3.13.11")
    wanted = machine.python("python3.13", "3.13.0")
    assert machine.chosen(PYENV_ROOT=f"{machine.folder}/pyenv") == f"{wanted}"


def test_what_the_user_gives_decides(machine: Machine) -> None:
    machine.python("python3.13", "3.13.0")
    wanted = machine.python("python3.12", "3.12.0")
    assert machine.chosen(PYTHON="python3.12") == f"{wanted}"
    elsewhere = machine.python("mine", "3.14.0", machine.folder)
    assert machine.chosen(PYTHON=f"{elsewhere}") == f"{elsewhere}"


def test_what_the_user_gives_and_cannot_be_is_refused_whatever_else_there_is(
    machine: Machine,
) -> None:
    machine.python("python3.13", "3.13.0")
    machine.python("old", "3.10.0")
    machine.python("bare", "3.12.0", lacks="venv")
    assert machine.refused(PYTHON="old").startswith("PYTHON=old is older than Python 3.11")
    assert machine.refused(PYTHON="bare").startswith("PYTHON=bare cannot make environments")
    assert machine.refused(PYTHON="none").startswith("PYTHON=none does not run")


def test_one_version_and_no_other_is_found_when_asked_for(machine: Machine) -> None:
    machine.python("python3", "3.13.0")
    assert machine.refused("3.13").startswith("Python 3.13 is not here")
    machine.python("python3.12", "3.12.0")
    wanted = machine.python("python3.11", "3.11.0")
    assert machine.chosen("3.11", PYTHON="python3.12") == f"{wanted}"


def test_an_environment_is_made_anew_when_another_python_is_asked_for(machine: Machine) -> None:
    base = machine.python("python3.13", "3.13.0")
    machine.python("python3.12", "3.12.0")
    (machine.path / "same").symlink_to(base)
    made = machine.folder / "made"
    assert machine.chosen("differs", f"{made}") == ""
    (made / "bin").mkdir(parents=True)
    (made / "bin" / "python").symlink_to(base)
    assert machine.chosen("differs", f"{made}") == ""
    assert machine.chosen("differs", f"{made}", PYTHON="python3.13") == ""
    assert machine.chosen("differs", f"{made}", PYTHON="same") == ""
    assert machine.chosen("differs", f"{made}", PYTHON="python3.12") == "other"
    assert machine.chosen("differs", f"{made}", PYTHON="none") == "other"
    base.unlink()
    assert machine.chosen("differs", f"{made}") == "broken"


def test_ci_fails_where_a_version_is_missing(machine: Machine, tmp_path: Path) -> None:
    for name in ("dirname", "bash"):
        (machine.path / name).symlink_to(shutil.which(name) or "")
    machine.program("make", "echo made >&2")
    for program in ("bicep", "git", "node", "npm", "chromium"):
        machine.program(program, "")
    folder = tmp_path / "project"
    shutil.copytree(ROOT / "scripts", folder / "scripts")
    shutil.copytree(ROOT / ".ci", folder / ".ci")

    def output() -> str:
        run = subprocess.run(
            ["bash", str(folder / ".ci" / "run")],
            env={"PATH": f"{machine.path}", "HOME": f"{tmp_path}"},
            capture_output=True,
            text=True,
            check=False,
        )
        assert (run.returncode == 0) == ("made" in run.stderr)
        return run.stderr

    machine.python("python3.11", "3.11.0")
    assert output().startswith("Python 3.13 is not here")
    machine.python("python3.13", "3.13.0")
    assert output() == "made\n" * 4
    (machine.path / "bicep").unlink()
    assert output().startswith(".ci/run needs bicep")
    (machine.path / "python3.11").unlink()
    assert output().startswith("Python 3.11 is not here")
