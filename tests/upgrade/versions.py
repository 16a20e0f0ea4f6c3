"""Two versions of the package beside this one: the one before it, and one that may come next."""

from __future__ import annotations

import os
import shutil
import subprocess
import tarfile
from pathlib import Path

import pytest

from checks import package
from shared.message.formats import FIRST_FORMAT
from shared.settings.version import DEPLOYMENT_VERSION

BASE = Path(__file__).with_name("base")
LATER_FORMAT = FIRST_FORMAT + 1
LATER_SETTING = "RELAY_OF_LATER"
# What each change of the next version looks like today, and then.
_NEXT = {
    "shared/message/formats.py": (
        "Formats(frozenset({FIRST_FORMAT}))",
        "Formats(frozenset({FIRST_FORMAT, FIRST_FORMAT + 1}))",
    ),
    "shared/settings/version.py": (
        f"DEPLOYMENT_VERSION = {DEPLOYMENT_VERSION}",
        f"DEPLOYMENT_VERSION = {DEPLOYMENT_VERSION + 1}",
    ),
    "shared/settings/settings.py": (
        "    deployment_version: int = _setting(",
        (
            f'    later: int = _setting("{LATER_SETTING}", "", forms.between(1, 9), 1)\n'
            "    deployment_version: int = _setting("
        ),
    ),
}


def this(folder: Path) -> Path:
    """Copy what is deployed of this version into a folder; return the folder."""
    package.copy(folder)
    return folder


def previous(folder: Path) -> Path:
    """Copy what was deployed of the version before into a folder; return the folder.

    It is what `UPGRADE_FROM` names, else the newest tag since the base, else the base itself: not
    the last commit, since a break would then be found in one run and never again.
    """
    revision = os.environ.get("UPGRADE_FROM") or _newest_tag() or _base()
    archive, tree = folder.with_suffix(".tar"), folder.with_suffix(".tree")
    with archive.open("wb") as file:
        command = _git("archive", revision)
        run = subprocess.run(command, stdout=file, stderr=subprocess.PIPE, text=True, check=False)
    if run.returncode:
        said = run.stderr.strip()
        _missing(f"git has no revision {revision} (git fetch --unshallow --tags?): {said}")
    with tarfile.open(archive) as packed:
        packed.extractall(tree, filter="data")
    package.copy(folder, tree)
    return folder


def following(folder: Path) -> Path:
    """Write a version that may come next into a folder: another setting, and a second format.

    The second format is the first under the number 2. No version has one yet, and what has to hold
    for one does not depend on how it looks: older code does not read it.
    """
    this(folder)
    for name, (today, then) in _NEXT.items():
        path = folder / name
        text = path.read_text()
        assert text.count(today) == 1, f"{name} has changed: change what the next version is"
        path.write_text(text.replace(today, then))
    return folder


def _base() -> str:
    """Return the base; where this history was written anew, the revision that names one."""
    named = BASE.read_text().split()[0]
    if _output("cat-file", "-t", named) == ["commit"]:
        return named
    adding = _output("log", "--diff-filter=A", "--format=%H", "--", str(BASE))
    return adding[-1] if adding else named


def _newest_tag() -> str | None:
    since = ("tag", "--sort=-creatordate", "--contains", _base())
    return next(iter(_output(*since, "--merged", "HEAD", "--no-contains", "HEAD")), None)


def _output(*arguments: str) -> list[str]:
    """Return the words that git prints; none where it fails."""
    command = _git(*arguments)
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout.split()


def _git(*arguments: str) -> list[str]:
    git = shutil.which("git")
    if git is None:
        _missing("git is not on the PATH")
    # Also where the folder is another user's, as in a container.
    return [str(git), "-c", f"safe.directory={package.ROOT}", "-C", str(package.ROOT), *arguments]


def _missing(what: str) -> None:
    """Skip the test, but fail in CI, where nothing may be skipped."""
    if os.environ.get("UPGRADE_REQUIRED"):
        pytest.fail(f"no version to upgrade from: {what}")
    pytest.skip(f"no version to upgrade from: {what}")
