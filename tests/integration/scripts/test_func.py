"""`make func`: what it starts, with which environment, and that it stops all of it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[3] / "scripts" / "func.sh"
# They stand for the programs: each notes its process and how it was called.
_CLOUD = """#!/bin/sh
case "$*" in
  "-m local up --without receiver")
    echo $$ > cloud.pid; mkdir -p .local; echo '{}' > .local/endpoints.json; exec sleep 600;;
  "-m local settings receiver")
    echo '{"Host": {"LocalHttpPort": 7172}}' > local.settings.json; echo local.settings.json;;
  -c*) exec "$REAL_PYTHON" "$@";;
  *) exit 9;;
esac
"""
_AZURITE = """#!/bin/sh
echo $$ > azurite.pid
exec sleep 600
"""
_FUNC = """#!/bin/sh
while [ ! -e azurite.pid ]; do sleep 0.05; done
echo "$@" > func.called
echo "$SSL_CERT_FILE" > func.trusts
command -v python3 > func.python
exit 3
"""


def _program(folder: Path, name: str, text: str) -> Path:
    folder.mkdir(exist_ok=True)
    path = folder / name
    path.write_text(text)
    path.chmod(0o755)
    return path


def _run(folder: Path, *, without: str = "") -> subprocess.CompletedProcess[str]:
    programs = {"func": _FUNC, "azurite": _AZURITE}
    for name, text in programs.items():
        if name != without:
            _program(folder / "bin", name, text)
    # Nothing else that this machine has may be found.
    (folder / "tools").mkdir()
    for name in ("sh", "sleep", "mkdir", "dirname"):
        (folder / "tools" / name).symlink_to(str(shutil.which(name)))
    python = _program(folder / "venv", "python", _CLOUD)
    _program(folder / "venv", "python3", "#!/bin/sh\n")
    return subprocess.run(
        ["/bin/sh", str(SCRIPT), "receiver", str(python)],
        cwd=folder,
        env={"PATH": f"{folder / 'bin'}:{folder / 'tools'}", "REAL_PYTHON": sys.executable},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def _is_alive(file: Path) -> bool:
    try:
        os.kill(int(file.read_text()), 0)
    except ProcessLookupError:
        return False
    return True


def test_the_app_runs_under_func_beside_the_cloud_and_all_of_it_ends(tmp_path: Path) -> None:
    done = _run(tmp_path)
    assert done.returncode == 3, done.stderr  # func's own
    assert (tmp_path / "func.called").read_text() == "start --port 7172\n"
    assert (tmp_path / "func.trusts").read_text() == f"{tmp_path}/.local/ca-bundle.pem\n"
    assert (tmp_path / "func.python").read_text() == f"{tmp_path}/venv/python3\n"
    assert not _is_alive(tmp_path / "cloud.pid")
    assert not _is_alive(tmp_path / "azurite.pid")


@pytest.mark.parametrize(("without", "package"), [("func", "core-tools"), ("azurite", "azurite")])
def test_what_is_missing_is_named_with_how_to_install_it(
    tmp_path: Path, without: str, package: str
) -> None:
    done = _run(tmp_path, without=without)
    assert done.returncode == 1
    assert "make func needs" in done.stderr
    assert f"npm install --global {'azure-functions-' if without == 'func' else ''}{package}" in (
        done.stderr
    )
    assert not (tmp_path / "cloud.pid").exists()
