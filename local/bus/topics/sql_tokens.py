"""Splitting a SQL expression of a rule into tokens.

Source: Microsoft Learn, "Subscription Rule SQL Filter Syntax".
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from local.bus.topics.errors import RuleSyntaxError

MAX_LENGTH = 1024  # characters of an expression (Azure Service Bus quotas and limits)
TokenKind = Literal[
    "keyword", "name", "string", "integer", "decimal", "parameter", "operator", "end"
]
KEYWORDS = frozenset(
    {
        *("AND", "OR", "NOT", "IS", "NULL", "IN", "LIKE", "ESCAPE", "EXISTS"),
        *("TRUE", "FALSE", "SET", "REMOVE"),
    }
)
_TOKEN = re.compile(
    r"""
    (?P<blank>\s+)
    | (?P<decimal>\d+(?:\.\d+)?[eE][+\-]?\d+ | \d+\.\d+)
    | (?P<integer>\d+)
    | (?P<string>'(?:[^']|'')*')
    | (?P<delimited>\[(?:[^\]]|\]\])+\])
    | (?P<quoted>"(?:[^"]|"")+")
    | (?P<parameter>@\w+)
    | (?P<word>[^\W\d_]\w*)
    | (?P<operator><>|!=|>=|<=|[=<>+\-*/%(),.;])
    """,
    re.VERBOSE,
)


@dataclass(frozen=True, slots=True)
class Token:
    """A piece of an expression: a keyword in capitals, or the content of all else.

    `position` counts characters from 1; `is_plain` for a name without quotes or brackets.
    """

    kind: TokenKind
    text: str
    position: int
    is_plain: bool = False

    def __str__(self) -> str:
        """Show it in an error."""
        return "the end" if self.kind == "end" else f"{self.text[:40]!r} at {self.position}"


def tokens_of(expression: str) -> list[Token]:
    """Split an expression; the last token is the end. Raises RuleSyntaxError."""
    if len(expression) > MAX_LENGTH:
        raise RuleSyntaxError(f"The expression is longer than {MAX_LENGTH} characters.")
    found: list[Token] = []
    offset = 0
    while offset < len(expression):
        match = _TOKEN.match(expression, offset)
        if match is None:
            raise RuleSyntaxError(
                f"Character {expression[offset]!r} at {offset + 1} is not expected."
            )
        if match.lastgroup != "blank":
            found.append(_token(str(match.lastgroup), match[0], offset + 1))
        offset = match.end()
    return [*found, Token("end", "", len(expression) + 1)]


def _token(group: str, text: str, position: int) -> Token:
    match group:
        case "word" if text.upper() in KEYWORDS:
            return Token("keyword", text.upper(), position)
        case "word":
            return Token("name", text, position, is_plain=True)
        case "delimited":
            return Token("name", text[1:-1].replace("]]", "]"), position)
        case "quoted":
            return Token("name", text[1:-1].replace('""', '"'), position)
        case "string":
            return Token("string", text[1:-1].replace("''", "'"), position)
        case "integer":
            return Token("integer", text, position)
        case "decimal":
            return Token("decimal", text, position)
        case "parameter":
            return Token("parameter", text, position)
        case _:
            return Token("operator", text, position)
