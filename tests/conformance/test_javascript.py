"""The tests in JavaScript, with Azure's SDKs for it, by the test runner of Node."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.conformance.target import Target

_SOURCES = Path(__file__).parent / "javascript"
_CACHE = Path(__file__).parents[2] / ".conformance"
_FILES = sorted(path.name for path in _SOURCES.glob("*.test.mjs"))
_SECONDS = 300
# What Node and npm read of a user's own environment.
_KEPT = ("PATH", "HOME", "LANG", "TMPDIR", "HTTPS_PROXY", "HTTP_PROXY", "NO_PROXY")


@pytest.fixture(scope="module")
def project() -> Path:
    """Install what the lock names, once for each lock, and give a folder with the sources."""
    if shutil.which("node") is None or shutil.which("npm") is None:
        if os.environ.get("NODE_REQUIRED"):
            pytest.fail("node and npm must be on the PATH")
        pytest.skip("no node on the PATH")
    lock = (_SOURCES / "package-lock.json").read_bytes()
    folder = _CACHE / hashlib.sha256(lock).hexdigest()[:16]
    folder.mkdir(parents=True, exist_ok=True)
    for source in _SOURCES.iterdir():
        if source.is_file():
            shutil.copy(source, folder)
    # npm writes this file as the last of an installation.
    if not (folder / "node_modules" / ".package-lock.json").exists():
        # No package's install scripts run: none of them is needed.
        command = ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"]
        subprocess.run(command, cwd=folder, check=True, timeout=_SECONDS)
    return folder


@pytest.mark.long
def test_the_sdks_for_javascript(target: Target, project: Path) -> None:
    done = subprocess.run(
        ["node", "--test", "--test-concurrency=1", "--test-timeout=120000", *_FILES],
        cwd=project,
        env={name: os.environ[name] for name in _KEPT if name in os.environ} | _variables(target),
        capture_output=True,
        text=True,
        timeout=_SECONDS,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_lock_names_packages_and_no_registry() -> None:
    packages = json.loads((_SOURCES / "package-lock.json").read_text())["packages"]
    installed = [one for name, one in packages.items() if name]
    assert installed
    # An installation takes what has that very hash, from whatever registry it is configured for.
    assert all("integrity" in one and "resolved" not in one for one in installed)


def _variables(target: Target) -> dict[str, str]:
    if target.is_azure:
        return {
            "AZURE": "1",
            "VAULT": target.vaults["roles"],
            "NAMESPACE": target.namespace,
            "ADMINISTRATION": target.namespace,
        }
    assert target.bus
    assert target.administration
    return {
        **target.environments["caller"],
        "NODE_EXTRA_CA_CERTS": str(target.ca),
        "VAULT": target.vaults["roles"],
        "NAMESPACE": target.bus.removeprefix("sb://"),
        "ADMINISTRATION": target.administration.removeprefix("https://"),
    }
