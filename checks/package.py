"""What is deployed of this folder: everything but what `.funcignore` names."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from pathspec import GitIgnoreSpec

ROOT = Path(__file__).resolve().parents[1]


def files(root: Path = ROOT) -> list[Path]:
    """Return the files of the package, relative to `root`.

    `.funcignore` has the syntax of `.gitignore`, and where there is one azd adds nothing to it.
    """
    lines = (root / ".funcignore").read_text(encoding="utf-8").splitlines()
    return sorted(_kept(root, GitIgnoreSpec.from_lines(lines)))


def copy(folder: Path, root: Path = ROOT) -> None:
    """Copy the package into a folder."""
    for file in files(root):
        target = folder / file
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(root / file, target)


def _kept(root: Path, ignored: GitIgnoreSpec) -> Iterator[Path]:
    for folder, folders, names in os.walk(root):
        here = Path(folder).relative_to(root)
        # What is in an ignored folder is ignored, so there is no need to look.
        folders[:] = [name for name in folders if not ignored.match_file(f"{here / name}/")]
        yield from (here / name for name in names if not ignored.match_file(here / name))
