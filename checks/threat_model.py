"""The claims of the threat model against the tests it names: `python -m checks.threat_model`."""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator
from pathlib import Path

_ROOT = Path(__file__).parent.parent
_DOCUMENT = "docs/threat-model.md"
_SHOWN_BY = "shown by"
_TERM = re.compile(r"`([^`]*)`")
_TEST = re.compile(r"(tests/(?:\w+/)*test_\w+\.py)::((?:Test\w+::)?test_\w+)")
_NEVER = ("pytest.mark.skip", "pytest.mark.xfail", "pytest.skip", "pytest.xfail")


def unshown(root: Path, text: str) -> Iterator[str]:
    """Yield what is wrong with the threat model `text`, whose tests are below `root`.

    The last column of each table is "shown by", where each row names at least one test and nothing
    else; each of them exists and is neither skipped nor expected to fail.
    """
    tables = 0
    for line, table in _tables(text):
        tables += 1
        width = len(_cells(table[0]))
        if _cells(table[0])[-1].lower() != _SHOWN_BY:
            yield f"line {line}: the last column is not {_SHOWN_BY!r}"
            continue
        for number, row in enumerate(table[2:], line + 2):
            cells = _cells(row)
            if len(cells) != width:
                yield f"line {number}: {len(cells)} cells, where the table has {width}"
                continue
            terms = _TERM.findall(cells[-1])
            if not terms:
                yield f"line {number}: no test shows it"
            for term in terms:
                if wrong := _wrong(root, term):
                    yield f"line {number}: {term}: {wrong}"
    if not tables:
        yield "there is no table"


def _tables(text: str) -> Iterator[tuple[int, list[str]]]:
    """Yield each table: its first line's number, and its lines."""
    table: list[str] = []
    for number, line in enumerate([*text.splitlines(), ""], 1):
        if line.lstrip().startswith("|"):
            table.append(line.strip())
        elif table:
            yield number - len(table), table
            table = []


def _cells(row: str) -> list[str]:
    return [cell.strip() for cell in row.strip("|").split("|")]


def _wrong(root: Path, term: str) -> str | None:
    """Return what is wrong with the name of a test, None if that test runs."""
    found = _TEST.fullmatch(term)
    if not found:
        return "that is not the name of a test, tests/.../test_x.py::test_name"
    path = root / found[1]
    if not path.is_file():
        return "there is no such file"
    scope: ast.Module | ast.ClassDef = ast.parse(path.read_text())
    if any(_named(node, "pytestmark") and _never(node) for node in scope.body):
        return "its module never runs"
    for name in found[2].split("::"):
        # Python, and so pytest, has only the last one of a name.
        same = [node for node in scope.body if _named(node, name)]
        if not same:
            return "there is no such test"
        node = same[-1]
        if not isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            return "that is not a test"
        at_once = [step for step in node.body if isinstance(step, ast.Expr)]
        if any(_never(part) for part in (*node.decorator_list, *at_once)):
            return "it never runs, or may fail"
        if isinstance(node, ast.ClassDef):
            scope = node
    return None


def _named(node: ast.stmt, name: str) -> bool:
    if isinstance(node, ast.Assign):
        return any(isinstance(one, ast.Name) and one.id == name for one in node.targets)
    return getattr(node, "name", None) == name


def _never(node: ast.AST) -> bool:
    """Return whether it skips or excuses a test whatever the circumstances."""
    return any(
        isinstance(part, ast.Attribute) and ast.unparse(part) in _NEVER for part in ast.walk(node)
    )


def main() -> int:
    """Print the claims that no test shows; 1 if there are any."""
    found = list(unshown(_ROOT, (_ROOT / _DOCUMENT).read_text()))
    print("\n".join(f"{_DOCUMENT}: {one}" for one in found) or "threat model: tests show it")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
