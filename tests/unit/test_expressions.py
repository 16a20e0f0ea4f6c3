"""Every regular expression of the program is linear: no text of any length can keep it busy.

The expressions are collected from the source, so that a new one is covered without being listed.
One that is made at run time must be listed in `MADE`, with what makes it.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from local.authorization import authorization
from local.resource_manager import names
from tests.backtracking import slow_text

ROOT = Path(__file__).resolve().parents[2]
NAMED = re.compile(r"\b(re|regex)\b")  # what a module has to say that uses expressions
ANCHORED = frozenset({"match", "fullmatch"})
# These begin anew at each character.
ANYWHERE = frozenset({"search", "sub", "subn", "split", "findall", "finditer"})
# What functions make of their arguments: all that they are given, or the hardest there is.
MADE: dict[tuple[str, str], Callable[[], list[re.Pattern[str]]]] = {
    ("local/authorization/authorization.py", "_compiled"): lambda: [
        authorization._compiled(pattern)
        for pattern in ("*", "*/read", "a*a", "*a*a*a*a", "a**a", "Microsoft.KeyVault/vaults/*/*")
    ],
    ("local/resource_manager/names.py", "find"): lambda: [
        re.compile(pattern) for pattern, *_ in names._NAMES.values()
    ],
}


@dataclass(frozen=True)
class Expression:
    """`anywhere`: it is looked for, and does not have to match from a given place on."""

    where: str
    pattern: re.Pattern[Any]
    anywhere: bool


def modules() -> list[Path]:
    folders = (ROOT / top for top in ("shared", "ops", "local"))
    return [
        ROOT / "function_app.py",
        *sorted(file for one in folders for file in one.rglob("*.py")),
    ]


def expressions(file: Path) -> Iterator[Expression]:
    """Yield the expressions of a module. Raises `AssertionError` for one it cannot find."""
    text = file.read_text(encoding="utf-8")
    if not NAMED.search(text):
        return  # most modules: to parse them all takes seconds, in each process of the tests
    tree = ast.parse(text)
    at = file.relative_to(ROOT).as_posix()
    found = {name for name, _, _ in _named(tree)}
    assert not _imports_from_re(tree), f"{at}: import re itself, so that its use is seen"
    for name, line, _ in _named(tree):
        pattern = getattr(import_module(at.removesuffix(".py").replace("/", ".")), name)
        assert isinstance(pattern, re.Pattern)
        yield Expression(f"{at}:{line}", pattern, _is_looked_for(tree, name))
    compiled = {id(call) for _, _, call in _named(tree)}
    for function, call in _calls(tree):
        if id(call) in compiled:
            continue
        where = f"{at}:{call.lineno}"
        anywhere = _method(call) in ANYWHERE
        if call.args and isinstance(call.args[0], ast.Constant):
            yield Expression(where, re.compile(call.args[0].value), anywhere)
        else:
            assert (at, function) in MADE, f"{where}: make it a constant, or list {function}"
            for made in MADE[at, function]():
                yield Expression(where, made, anywhere)
    assert len(found) == len(compiled), f"{at}: one name for two expressions"


def _is_re(node: ast.AST) -> bool:
    return isinstance(node, ast.Name) and node.id in ("re", "regex")


def _imports_from_re(tree: ast.AST) -> bool:
    return any(
        (isinstance(node, ast.ImportFrom) and node.module == "re")
        or (
            isinstance(node, ast.Import)
            and any(one.name == "re" and one.asname for one in node.names)
        )
        for node in ast.walk(tree)
    )


def _method(node: ast.AST) -> str | None:
    """Return which function of `re` a node calls."""
    is_call = isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)
    if not is_call or not _is_re(node.func.value):  # type: ignore[attr-defined]
        return None
    name: str = node.func.attr  # type: ignore[attr-defined]
    return name if name in ANCHORED | ANYWHERE | {"compile"} else None


def _named(tree: ast.Module) -> Iterator[tuple[str, int, ast.Call]]:
    for node in tree.body:
        if isinstance(node, ast.Assign) and _method(node.value) == "compile":
            assert isinstance(node.value, ast.Call)
            assert isinstance(node.targets[0], ast.Name)
            yield node.targets[0].id, node.lineno, node.value


def _calls(node: ast.AST, function: str = "") -> Iterator[tuple[str, ast.Call]]:
    for child in ast.iter_child_nodes(node):
        if _method(child):
            assert isinstance(child, ast.Call)
            yield function, child
        is_function = isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef)
        yield from _calls(child, child.name if is_function else function)  # type: ignore[attr-defined]


def _is_looked_for(tree: ast.AST, name: str) -> bool:
    used = {
        node.attr
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute)
        and isinstance(node.value, ast.Name)
        and node.value.id == name
    }
    return bool(used & ANYWHERE)


ALL = [one for file in modules() for one in expressions(file)]


@pytest.mark.parametrize("expression", ALL, ids=lambda one: one.where)
def test_an_expression_is_linear(expression: Expression) -> None:
    slow = slow_text(expression.pattern, anywhere=expression.anywhere)
    assert slow is None, f"{expression.pattern.pattern!r} takes too long over {slow!r}"


def test_no_expression_is_left_out() -> None:
    text = "".join(file.read_text(encoding="utf-8") for file in modules())
    used = re.findall(r"\bre\.(?:compile|" + "|".join(ANCHORED | ANYWHERE) + r")\(", text)
    assert len({one.where for one in ALL}) == len(used) > 40
