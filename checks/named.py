"""What the code has that a document names: settings, commands, HTTP functions, statuses, names."""

from __future__ import annotations

import argparse
import ast
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path

SETTING = re.compile(r"RELAY_[A-Za-z_]+")
_NAME = re.compile(r"[A-Za-z]+(-[A-Za-z]+)+")
_STATUS = re.compile(r"HTTPStatus\.([A-Z_]+)")
_PHONY = re.compile(r"^\.PHONY:(.*)$", re.MULTILINE)
_PREFIX = "/api/"
_LEVELS = frozenset({"debug", "info", "warning", "error", "exception", "log"})


@dataclass(frozen=True, order=True)
class Route:
    """One HTTP function. `level` is whose key opens it: anonymous, function or admin."""

    function: str
    methods: tuple[str, ...]
    path: str
    level: str


@dataclass(frozen=True)
class Command:
    """One command of a program: `words` are what a user types, `options` what may follow."""

    words: tuple[str, ...]
    options: frozenset[str]


def settings(sources: Mapping[Path, str]) -> frozenset[str]:
    """Return the names of settings in texts; one that others are made of ends with `_`."""
    found = frozenset(name for text in sources.values() for name in SETTING.findall(text))
    # The name of a connection is none itself, but how those of its settings begin.
    return frozenset(name for name in found if not any(f"{name}__" in one for one in found))


def names(source: str) -> Iterator[str]:
    """Yield the literals of words with hyphens between them in a module.

    Somebody outside meets each of these: headers, reasons and properties of messages.
    """
    for node in ast.walk(ast.parse(source)):
        value = node.value if isinstance(node, ast.Constant) else None
        if isinstance(value, str) and _NAME.fullmatch(value):
            yield value


def statuses(source: str) -> Iterator[int]:
    """Return the statuses of errors that a module names."""
    found = (HTTPStatus[name].value for name in _STATUS.findall(source))
    return (status for status in found if status >= HTTPStatus.BAD_REQUEST)


def routes(source: str) -> Iterator[Route]:
    """Yield the HTTP functions that a module registers."""
    tree = ast.parse(source)
    constants = {
        target.id: step.value
        for step in tree.body
        if isinstance(step, ast.Assign)
        for target in step.targets
        if isinstance(target, ast.Name)
    }
    for node in ast.walk(tree):
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        for call in node.decorator_list:
            if isinstance(call, ast.Call) and _is_route(call):
                yield _route(node.name, call, constants)


def _is_route(call: ast.Call) -> bool:
    return isinstance(call.func, ast.Attribute) and call.func.attr == "route"


def _route(function: str, call: ast.Call, constants: Mapping[str, ast.expr]) -> Route:
    given = {keyword.arg: keyword.value for keyword in call.keywords}
    methods = given["methods"]
    if isinstance(methods, ast.Name):
        methods = constants[methods.id]
    level = given.get("auth_level")
    return Route(
        function,
        tuple(ast.literal_eval(methods)),
        _PREFIX + str(ast.literal_eval(call.args[0])),
        ast.unparse(level).rpartition(".")[2].lower() if level else "function",
    )


def commands(program: str, parser: argparse.ArgumentParser) -> Iterator[Command]:
    """Yield the commands of a program, those with commands of their own included."""
    return _commands((program,), parser)


def _commands(words: tuple[str, ...], parser: argparse.ArgumentParser) -> Iterator[Command]:
    choices = {
        name: below
        for action in parser._actions  # noqa: SLF001 - argparse shows its options nowhere else
        if isinstance(action, argparse._SubParsersAction)  # noqa: SLF001 - as above
        for name, below in action.choices.items()
    }
    yield Command(words, frozenset(parser._option_string_actions))  # noqa: SLF001 - as above
    for name, below in choices.items():
        yield from _commands((*words, name), below)


def log_lines(source: str) -> Iterator[tuple[str, bool]]:
    """Yield the formats of a module's log lines, and whether somebody has to see such a line.

    That are errors, warnings and lines of a level that depends on what goes on.
    """
    for node in ast.walk(ast.parse(source)):
        if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)):
            continue
        level = node.func.attr
        given = node.args[1:] if level == "log" else node.args
        if level not in _LEVELS or not ast.unparse(node.func.value).endswith("_log") or not given:
            continue
        if isinstance(given[0], ast.Constant):
            yield str(given[0].value), level not in ("debug", "info")


def targets(makefile: str) -> frozenset[str]:
    """Return what `make` can be asked for."""
    found = _PHONY.search(makefile)
    return frozenset(found[1].split()) - {"FORCE"} if found else frozenset()


def packages(root: Path, folder: str) -> frozenset[str]:
    """Return the packages directly in a folder, as paths from `root`."""
    return frozenset(
        str(init.parent.relative_to(root)) for init in (root / folder).glob("*/__init__.py")
    )
