"""The expressions that stand in a Bicep snapshot for what exists only at run time."""

from __future__ import annotations

import re

from local.resources import Reference

_TEXT = r"'((?:[^']|'')*)'"
_REFERENCE = re.compile(
    rf"\[\s*reference\(\s*{_TEXT}\s*(?:,\s*{_TEXT}\s*(?:,\s*{_TEXT}\s*)?)?\)"
    r"\.([A-Za-z][A-Za-z0-9]*(?:\.[A-Za-z][A-Za-z0-9]*)*)\s*\]"
)


class UnknownExpression(ValueError):  # noqa: N818 - named after what it is
    """An expression that is none of the known ones; `text` is what stands there."""

    def __init__(self, text: str) -> None:
        super().__init__(f"unknown expression {text}")
        self.text = text


def parse(text: str) -> str | Reference:
    """Tell a literal from an expression, and read the expression.

    Known is `[reference('<id>', '<version>').<path>]`, and with `'full'` as the third argument,
    where `properties.` in front of a path is dropped. Raises `UnknownExpression` for any other.

    Source: ARM template functions, `reference`. A snapshot shows an escaped literal `[[x]` as
    `[x]`, so a literal in brackets cannot be told from an expression and counts as unknown.
    """
    if not (text.startswith("[") and text.endswith("]")):
        return text
    found = _REFERENCE.fullmatch(text)
    if not found or found[3] not in (None, "full", "Full"):
        raise UnknownExpression(text)
    path = found[4].removeprefix("properties.") if found[3] else found[4]
    return Reference(found[1].replace("''", "'"), path)
