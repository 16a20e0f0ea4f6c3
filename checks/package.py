"""What is deployed of this folder: what `.funcignore` lets in. `python -m checks.package`.

Two programs read that file. azd, which the documents deploy with, reads it nearly as git would
(`createDeployableZip` in azure-dev's `project_utils.go`, and denormal/go-gitignore), Core Tools
(`func`) each differently (`GitIgnoreParser.cs` in azure-functions-core-tools).
"""

from __future__ import annotations

import os
import re
import shutil
import sys
from collections.abc import Callable, Iterator, Sequence
from fnmatch import fnmatchcase
from pathlib import Path, PurePath

ROOT = Path(__file__).resolve().parents[1]

# What Core Tools leave out by themselves.
_NEVER_FOLDERS = {".git", ".vscode"}
_NEVER_FILES = {".funcignore", ".gitignore", "local.settings.json", "project.lock.json"}


def files(root: Path = ROOT) -> list[Path]:
    """Return the files of the package as azd reads it, relative to `root`."""
    return sorted(_walked(root, _azd_accepts(_lines(root))))


def files_of_func(root: Path = ROOT) -> list[Path]:
    """Return the files of the package as Core Tools read it, relative to `root`."""
    accepts = _func_accepts(_lines(root))

    def kept(path: str) -> bool:
        name = PurePath(path).name
        if path.endswith("/"):
            return name.lower() not in _NEVER_FOLDERS
        return name.lower() not in _NEVER_FILES and accepts(path)

    return sorted(_walked(root, kept))


def copy(folder: Path, root: Path = ROOT) -> None:
    """Copy the package into a folder."""
    for file in files(root):
        target = folder / file
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(root / file, target)


def _lines(root: Path) -> list[str]:
    return (root / ".funcignore").read_text(encoding="utf-8-sig").splitlines()


def _walked(root: Path, kept: Callable[[str], bool]) -> Iterator[Path]:
    """Yield the files that are kept. A folder, a path with `/` at its end, is entered if kept."""
    for folder, folders, names in os.walk(root):
        here = Path(folder).relative_to(root)
        folders[:] = [name for name in folders if kept(f"{(here / name).as_posix()}/")]
        yield from (here / name for name in names if kept((here / name).as_posix()))


def _azd_accepts(lines: list[str]) -> Callable[[str], bool]:
    """Read lines as azd does: the last that matches a path decides, of files and of folders."""
    rules = [line.rstrip() for line in reversed(lines) if line.strip() and line[0] != "#"]

    def accepts(path: str) -> bool:
        for rule in rules:
            if _azd_matches(rule.removeprefix("!"), path):
                return rule.startswith("!")
        return True

    return accepts


def _azd_matches(pattern: str, path: str) -> bool:
    if pattern.endswith("/") and not path.endswith("/"):
        return False
    names = path.rstrip("/").split("/")
    parts = pattern.strip("/").split("/")
    if len(parts) > 1 or parts == ["**"]:
        return _fits(names, parts)
    # Unlike in git, a star in a name at the top, such as /*, takes slashes.
    return fnmatchcase("/".join(names) if pattern.startswith("/") else names[-1], parts[0])


def _fits(names: Sequence[str], parts: Sequence[str]) -> bool:
    if not parts:
        return not names
    if parts[0] == "**":
        return any(_fits(names[n:], parts[1:]) for n in range(len(names) + 1))
    return bool(names) and fnmatchcase(names[0], parts[0]) and _fits(names[1:], parts[1:])


def _func_accepts(lines: list[str]) -> Callable[[str], bool]:
    """Read lines as Core Tools do: each is the beginning of a path, up to the end of a word.

    Whatever a line with `!` matches is in the package, wherever the line is. Only `*` and `**`
    mean something, and a word is made of ASCII letters, digits and underscores.
    """
    patterns: dict[bool, list[str]] = {True: [], False: []}
    for line in (line.strip() for line in lines):
        if line and not line.startswith("#"):
            text = line.removeprefix("!").removeprefix("/")
            parts = (_FUNC_WILDCARDS.get(part, re.escape(part)) for part in _STARS.split(text))
            patterns[line.startswith("!")].append("".join(parts))
    let_in, left_out = (
        re.compile(rf"(?:{'|'.join(patterns[kind])})\b" if patterns[kind] else r"(?!)", re.ASCII)
        for kind in (True, False)
    )
    return lambda path: bool(let_in.match(path)) or not left_out.match(path)


_STARS = re.compile(r"(\*\*|\*)")
_FUNC_WILDCARDS = {"**": ".+", "*": "[^/]+"}


def problems(root: Path = ROOT) -> list[str]:
    """Return which files azd and Core Tools would not both deploy."""
    azd, func = set(files(root)), set(files_of_func(root))
    return [
        *(f"{f.as_posix()}: func would deploy it: take it away" for f in sorted(func - azd)),
        *(f"{f.as_posix()}: func would not deploy it: see .funcignore" for f in sorted(azd - func)),
    ]


def main() -> int:
    """Hold the two readings against each other; 1 if they differ."""
    if found := problems():
        sys.stderr.write("".join(f"package: {problem}\n" for problem in found))
        return 1
    print(f"package: {len(files())} files, by azd and by func")
    return 0


if __name__ == "__main__":
    sys.exit(main())
