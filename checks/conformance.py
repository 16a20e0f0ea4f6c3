"""The tables of docs/conformance.md: how the local cloud compares with Azure, by operation.

What is supported comes from the tests, by their marker `conformance(area, operation)`; what is
refused or different is declared in `tests/conformance/declared/`.
"""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_TESTS = Path(__file__).parent.parent / "tests" / "conformance"
_OUTCOMES = ("refused", "different")
_TEXTS = ("area", "operation", "outcome", "how")
# Comments above a test of node's runner, one for each operation: // conformance: AREA | OPERATION
_COMMENT = re.compile(
    r"^ *// conformance: (?P<area>[^|\n]+) \| (?P<operation>[^\n]+)\n", re.MULTILINE
)
_JAVASCRIPT = re.compile(
    r"(?P<comments>(?:^ *// conformance:[^\n]*\n)+) *(?:test|it)\(\s*\"(?P<name>[^\"\n]+)\"",
    re.MULTILINE,
)


class ConformanceError(ValueError):
    """A marker or a declaration is wrong; the message says where and what."""


@dataclass(frozen=True, order=True)
class Proof:
    """A test that proves an operation, by a client in one language."""

    area: str
    operation: str
    client: str
    test: str


@dataclass(frozen=True)
class Declared:
    """An operation that is refused or different, and `proof`: the test of it, or the reason."""

    area: str
    operation: str
    outcome: str
    how: str
    proof: str


def table(folder: Path = _TESTS) -> str:
    """Return the table of each area. Raises `ConformanceError`."""
    proofs, declared = list(proofs_of(folder)), list(declarations(folder))
    supported = {(one.area, one.operation) for one in proofs}
    for one in declared:
        if (one.area, one.operation) in supported:
            raise ConformanceError(
                f"{one.area}, {one.operation}: is declared as {one.outcome}, and a test says that "
                "it is supported"
            )
    areas = sorted({one.area for one in proofs} | {one.area for one in declared})
    return "\n\n".join(_section(area, proofs, declared) for area in areas)


def proofs_of(folder: Path) -> Iterator[Proof]:
    """Yield what the tests below a folder prove. Raises `ConformanceError`."""
    for path in sorted(folder.rglob("test_*.py")):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        for test in ast.walk(tree):
            if isinstance(test, ast.FunctionDef | ast.AsyncFunctionDef):
                name = f"{path.relative_to(folder)}::{test.name}"
                yield from _marked(test, name)
    for path in sorted(folder.rglob("*.test.mjs")):
        if "node_modules" not in path.parts:
            yield from _commented(path.read_text(encoding="utf-8"), str(path.relative_to(folder)))


def declarations(folder: Path) -> Iterator[Declared]:
    """Yield what is declared below a folder. Raises `ConformanceError`."""
    seen: set[tuple[str, str]] = set()
    for path in sorted((folder / "declared").glob("*.json")):
        for position, entry in enumerate(json.loads(path.read_text(encoding="utf-8")), start=1):
            one = _declared(entry, f"{path.name}, entry {position}", folder)
            if (one.area, one.operation) in seen:
                raise ConformanceError(f"{path.name}, entry {position}: is declared twice")
            seen.add((one.area, one.operation))
            yield one


def _marked(test: ast.FunctionDef | ast.AsyncFunctionDef, name: str) -> Iterator[Proof]:
    # The marker of a test, or one among the marks of its parameters.
    for node in (node for decorator in test.decorator_list for node in ast.walk(decorator)):
        if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
            continue
        if node.func.attr == "conformance":
            texts = [one.value for one in node.args if isinstance(one, ast.Constant)]
            if len(node.args) != len(texts) or len(texts) not in (2, 3):
                raise ConformanceError(
                    f"{name}: conformance takes an area, an operation and perhaps a client, "
                    "each a literal text"
                )
            area, operation, client = (*map(str, texts), "Python")[:3]
            yield Proof(area, operation, client, name)


def _commented(text: str, file: str) -> Iterator[Proof]:
    tests = [(one["name"], one["comments"]) for one in _JAVASCRIPT.finditer(text)]
    if sum(len(_COMMENT.findall(comments)) for _, comments in tests) != text.count(
        "// conformance"
    ):
        raise ConformanceError(
            f"{file}: each comment `// conformance: AREA | OPERATION` must be above a test"
        )
    for name, comments in tests:
        for found in _COMMENT.finditer(comments):
            operation = found["operation"].strip()
            yield Proof(found["area"], operation, "JavaScript", f"{file}: {name}")


def _declared(entry: Any, where: str, folder: Path) -> Declared:
    if not isinstance(entry, dict) or not all(
        isinstance(value, str) and value.strip() for value in entry.values()
    ):
        raise ConformanceError(f"{where}: must be an object of texts, none of them empty")
    test, reason = entry.get("test"), entry.get("reason")
    if set(entry) - {"test", "reason"} != set(_TEXTS) or (test is None) == (reason is None):
        raise ConformanceError(f"{where}: must have {', '.join(_TEXTS)}, and either test or reason")
    if entry["outcome"] not in _OUTCOMES:
        raise ConformanceError(f"{where}: the outcome must be {' or '.join(_OUTCOMES)}")
    if test is not None and not _exists(test, folder.parent):
        raise ConformanceError(f"{where}: there is no test {test}")
    proof = f"`{test}`" if test else entry["reason"]
    return Declared(entry["area"], entry["operation"], entry["outcome"], entry["how"], proof)


def _exists(test: str, tests: Path) -> bool:
    """Return whether a test exists, such as `conformance/test_a.py::test_b` below `tests`."""
    file, _, name = test.partition("::")
    path = tests / file
    pattern = re.compile(rf"^ *(?:async )?def {re.escape(name)}\(", re.MULTILINE)
    return path.is_file() and bool(pattern.search(path.read_text(encoding="utf-8")))


def _section(area: str, proofs: Sequence[Proof], declared: Sequence[Declared]) -> str:
    rows: dict[str, str] = {}
    by_operation: dict[str, list[Proof]] = {}
    for proof in sorted(set(proofs)):
        if proof.area == area:
            by_operation.setdefault(proof.operation, []).append(proof)
    for operation, found in by_operation.items():
        clients = ", ".join(dict.fromkeys(proof.client for proof in found))
        tests = ", ".join(dict.fromkeys(f"`{proof.test}`" for proof in found))
        rows[operation] = f"| {operation} | supported ({clients}) | {tests} |"
    for one in declared:
        if one.area == area:
            rows[one.operation] = f"| {one.operation} | {one.outcome}: {one.how} | {one.proof} |"
    head = [f"### {area}", "", "| operation | here | test, or reason |", "|---|---|---|"]
    return "\n".join([*head, *(row for _, row in sorted(rows.items()))])
