"""How programs are really started; everything else here calls fakes in the same process."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tests.azure.programs import CommandFailedError, MissingProgramError, Programs

ECHO = """#!{python}
import os, sys, time
if "wait" in sys.argv:
    time.sleep(60)
given = sys.stdin.read()
if "fail" in sys.argv:
    sys.exit("no: " + given)
print({{"told": given, "added": os.environ.get("ADDED"), "at": os.getcwd(),
       "arguments": sys.argv[1:]}} if "plain" in sys.argv else '{{"ok": true}}')
"""


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Programs:
    program = tmp_path / "bin" / "az"
    program.parent.mkdir()
    program.write_text(ECHO.format(python=sys.executable))
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(program.parent))
    monkeypatch.setattr(sys, "executable", str(program))
    return Programs(tmp_path)


def test_a_program_gets_its_input_and_environment_and_the_projects_folder(
    programs: Programs,
) -> None:
    said = programs.ops("plain", environ={"ADDED": "1"}, given="planted")
    for part in ("'told': 'planted'", "'added': '1'", f"'at': '{programs.folder}'"):
        assert part in said
    assert "['-m', 'ops', 'plain']" in said


def test_a_program_that_fails_is_named_without_secrets(programs: Programs) -> None:
    programs.redactor.learn("planted-secret")
    with pytest.raises(CommandFailedError, match=r"`az -m ops fail` failed \(1\): no") as failed:
        programs.ops("fail", environ={}, given="planted-secret")
    assert "planted" not in str(failed.value)


def test_a_program_that_is_not_installed_is_named(programs: Programs) -> None:
    with pytest.raises(MissingProgramError, match="azd is not installed"):
        programs.azd("provision")


def test_a_program_that_does_not_end_is_ended(programs: Programs) -> None:
    with pytest.raises(CommandFailedError, match=r"`az wait .*` was not done after 0.001 minutes"):
        programs.az("wait", minutes=0.001)
