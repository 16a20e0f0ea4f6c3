"""The expressions that stand in a Bicep snapshot for what exists only at run time."""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass

_TOKEN = re.compile(r"\s*(?:'(?P<text>(?:[^']|'')*)'|(?P<name>\w+)|(?P<sign>[(),.]))\s*")
_DEEPEST = 8

# Source: Bicep and Resource Manager make `guid` of names as RFC 9562, version 5, in this namespace,
# the names joined by hyphens. tests/unit/local/resource_manager/test_expressions.py compares it
# with what the compiler makes.
_NAMESPACE = uuid.UUID("11fb06fb-712d-4ddd-98c7-e71bbd588830")


@dataclass(frozen=True)
class Reference:
    """A property of a resource that exists only at run time, as `[reference(id, version).path]`."""

    resource_id: str
    path: str

    def __str__(self) -> str:
        return f"reference({_quoted(self.resource_id)}).{self.path}"


@dataclass(frozen=True)
class FunctionCall:
    """A function of Resource Manager whose arguments are known only at run time, at least in part.

    `name` is `guid`, or `extensionResourceId` of a scope, a type and a name.
    """

    name: str
    arguments: tuple[str | Reference | FunctionCall, ...]

    def __str__(self) -> str:
        arguments = (_quoted(one) if isinstance(one, str) else str(one) for one in self.arguments)
        return f"{self.name}({', '.join(arguments)})"


Expression = str | Reference | FunctionCall


class UnknownExpressionError(ValueError):
    """An expression of an unknown form; `text` is the expression."""

    def __init__(self, text: str) -> None:
        super().__init__(f"unknown expression {text}")
        self.text = text


def parse(text: str) -> Expression:
    """Tell a literal from an expression, and read the expression.

    Known is `[reference('<id>', '<version>').<path>]`, and with `'full'` as the third argument,
    where `properties.` in front of a path is dropped; `[guid(…)]` and `[extensionResourceId(…)]`
    of texts and of known expressions. Raises `UnknownExpressionError` for any other.

    Source: ARM template functions. A snapshot shows an escaped literal `[[x]` as `[x]`, so a
    literal in brackets cannot be distinguished from an expression and counts as unknown.
    """
    if not (text.startswith("[") and text.endswith("]")):
        return text
    try:
        return _Reader(text[1:-1]).whole()
    except ValueError:
        raise UnknownExpressionError(text) from None


def evaluated(expression: Expression, answer: Callable[[Reference], str]) -> str:
    """Return what an expression comes to, where `answer` knows each reference."""
    if isinstance(expression, str):
        return expression
    if isinstance(expression, Reference):
        return answer(expression)
    arguments = [evaluated(argument, answer) for argument in expression.arguments]
    if expression.name == "guid":
        return guid(*arguments)
    scope, kind, name = arguments
    return f"{scope}/providers/{kind}/{name}"


def guid(*names: str) -> str:
    """Return the GUID that a template's function `guid` makes of names."""
    return str(uuid.uuid5(_NAMESPACE, "-".join(names)))


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


class _Reader:
    """Reads the inside of one expression; raises `ValueError` for whatever it does not know."""

    def __init__(self, text: str) -> None:
        self._tokens = [*_tokens(text), ("end", "")]

    def whole(self) -> Reference | FunctionCall:
        found = self._expression(0)
        self._take("end")
        if isinstance(found, str):
            raise UnknownExpressionError(found)
        return found

    def _expression(self, depth: int) -> Expression:
        if depth > _DEEPEST:
            raise ValueError
        if self._tokens[0][0] == "text":
            return self._take("text").replace("''", "'")
        name = self._take("name")
        arguments = self._arguments(depth)
        path = self._path()
        if name == "reference":
            return _reference(arguments, path)
        of_texts = all(isinstance(argument, str) for argument in arguments[:2])
        known = name == "guid" or (
            name == "extensionResourceId" and len(arguments) == 3 and of_texts
        )
        if path or not known:
            raise ValueError
        return FunctionCall(name, tuple(arguments))

    def _arguments(self, depth: int) -> list[Expression]:
        self._take("(")
        arguments = [self._expression(depth + 1)]
        while self._tokens[0][0] == ",":
            self._take(",")
            arguments.append(self._expression(depth + 1))
        self._take(")")
        return arguments

    def _path(self) -> str:
        names = []
        while self._tokens[0][0] == ".":
            self._take(".")
            names.append(self._take("name"))
        if any(not re.fullmatch(r"[A-Za-z][A-Za-z0-9]*", name) for name in names):
            raise ValueError
        return ".".join(names)

    def _take(self, kind: str) -> str:
        found, text = self._tokens.pop(0)
        if found != kind:
            raise ValueError
        return text


def _tokens(text: str) -> Iterator[tuple[str, str]]:
    at = 0
    while at < len(text):
        found = _TOKEN.match(text, at)
        if found is None:
            raise ValueError
        kind = str(found.lastgroup)
        yield (found["sign"] if kind == "sign" else kind), found[kind]
        at = found.end()


def _reference(arguments: list[Expression], path: str) -> Reference:
    texts = [argument for argument in arguments if isinstance(argument, str)]
    full = texts[2:3]
    if len(texts) != len(arguments) or len(texts) > 3 or not path:
        raise ValueError
    if full and full[0] not in ("full", "Full"):
        raise ValueError
    return Reference(texts[0], path.removeprefix("properties.") if full else path)
