"""How a deployed value is shown: never where it may be a secret."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable

HIDDEN = "(a value that is not shown)"
_LONGEST = 120

# By name: whatever is called like a secret, or is code or data that may hold one.
_NAMES = re.compile(
    r"pass|pwd|secret|token|credential|connection_?string|(?<=[a-z0-9_])keys?(data|value)?$|"
    r"signature|(?<![a-z])sas(?![a-z])|cert|customdata|userdata|script|command|protected|private",
    re.IGNORECASE,
)
# By form: parts of connection strings, credentials in a URL, signatures, keys, long random texts.
_FORMS = re.compile(
    r"(account|access|shared\w*|primary|secondary)key\w*=|sharedaccesssignature|[?&;]?sig=|"
    r"pass(word|wd)?\s*[=:]|pwd\s*=|secret\s*=|://[^/\s]*:[^/\s]*@|-----begin|\bwhsec_|"
    r"\beyj[\w-]+\.|(?<![\w+/=-])(?!\d+(?![\w+/]))[A-Za-z0-9+_]{32,}={0,2}(?![\w+/=-])",
    re.IGNORECASE,
)
# What the compiler leaves for run time names a parameter or a resource and holds no value.
_EXPRESSION = re.compile(
    r"\[parameters\('\w+'\)(\['[\w-]+'\])?\]|\[reference\('[^']+', '[^']+'(, 'full')?\)[\w.]+\]"
)


def shown(names: Iterable[str], value: object) -> str:
    """Return a value as JSON for a message; `names` are those it goes by."""
    if isinstance(value, bool | int | float) or value is None:
        return json.dumps(value)
    if isinstance(value, str) and _EXPRESSION.fullmatch(value):
        return cut(value)
    text = json.dumps(value, ensure_ascii=False)
    if _FORMS.search(text) or any(_NAMES.search(name) for name in names):
        return HIDDEN
    if isinstance(value, dict) and any(_NAMES.search(name) for name in _keys(value)):
        return HIDDEN
    return cut(text)


def _keys(value: object) -> Iterable[str]:
    if isinstance(value, dict):
        for name, one in value.items():
            yield str(name)
            yield from _keys(one)
    elif isinstance(value, list):
        for one in value:
            yield from _keys(one)


def cut(text: str) -> str:
    """Return a text, cut where it is long."""
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"
