"""Which unit tests can be changed by what was changed: those that import it, however indirectly.

`python -m checks.changed_tests` prints their paths, for `make quick`: what differs from the branch
`main`, and what is not committed. Without git, or where anything that is not Python has changed
beside documents, it prints the folder of all.
"""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
_ALL = "tests/unit"
_PACKAGES = ("shared", "local", "ops", "checks", "migrations", "tests", "bench")
# What says how tests run, and what they share without importing it.
_OF_ALL = ("pyproject.toml", "tests/conftest.py")


def selected(changed: Iterable[str], imports: Mapping[str, frozenset[str]]) -> list[str]:
    """Return the unit tests for changed files. `imports`: of each file, the files it imports."""
    names = set(changed)
    if names & set(_OF_ALL) or any(_is_data(name) for name in names):
        return [_ALL]
    affected = _importers(names, imports)
    return sorted(name for name in affected if name.startswith(f"{_ALL}/") and _is_test(name))


def _is_data(name: str) -> bool:
    """Return whether any test may read a file: what is neither Python nor a document."""
    return not name.endswith((".py", ".md", ".png"))


def _is_test(name: str) -> bool:
    return Path(name).name.startswith("test_")


def _importers(names: set[str], imports: Mapping[str, frozenset[str]]) -> set[str]:
    found, more = set(names), True
    while more:
        new = {one for one, imported in imports.items() if one not in found and imported & found}
        found |= new
        more = bool(new)
    return found


def imported(root: Path) -> dict[str, frozenset[str]]:
    """Read which files of the project each of its Python files imports, anywhere in it."""
    files = {
        _module(path.relative_to(root)): path.relative_to(root).as_posix()
        for package in _PACKAGES
        for path in sorted((root / package).rglob("*.py"))
    }
    return {
        file: frozenset(files[name] for name in _names((root / file).read_text()) if name in files)
        for file in files.values()
    }


def _module(path: Path) -> str:
    return ".".join(path.with_suffix("").parts).removesuffix(".__init__")


def _names(source: str) -> Iterator[str]:
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def changed_files(root: Path) -> list[str] | None:
    """Ask git what differs from `main` and what is new; None where it cannot say."""
    base = _git(root, "merge-base", "HEAD", "main") or _git(root, "rev-parse", "HEAD")
    if base is None:
        return None
    different = _git(root, "diff", "--name-only", "--no-renames", base.strip())
    new = _git(root, "ls-files", "--others", "--exclude-standard")
    if different is None or new is None:
        return None
    return [*different.splitlines(), *new.splitlines()]


def _git(root: Path, *arguments: str) -> str | None:
    try:
        ran = subprocess.run(  # noqa: S603 - fixed words
            ["git", *arguments],  # noqa: S607 - the user's own git
            cwd=root,
            capture_output=True,
            text=True,
            check=False,
        )
    except OSError:
        return None
    return ran.stdout if ran.returncode == 0 else None


def main() -> int:
    """Print the tests, a line each; nothing where nothing is concerned."""
    changed = changed_files(ROOT)
    tests = [_ALL] if changed is None else selected(changed, imported(ROOT))
    sys.stdout.write("".join(f"{test}\n" for test in tests if (ROOT / test).exists()))
    return 0


if __name__ == "__main__":
    sys.exit(main())
