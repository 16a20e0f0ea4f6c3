"""The count of steps finds what is slow, of each kind, and takes nothing linear for it."""

from __future__ import annotations

import re

import pytest

from tests.backtracking import slow_text

_WORD = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
SLOW = {
    "exponential, by a loop in a loop": r"(?:a+)+",
    "exponential, by two alternatives that take the same": r"(?:\wx|\dx)*b",
    "exponential, by blanks of one round or the next": (
        rf"{_WORD}/{_WORD}(?:[ \t]*;[ \t]*(?:{_WORD}={_WORD})?)*"
    ),
    "exponential, by a part that may be absent": r"(?:a?a)*b",
    "quadratic, by two loops in a row": r"\d*[0-9a-f]*z",
    "quadratic, by lazy loops": r"x.*?y.*?z",
    "cubic, by a pattern of stars": r".*a.*a.*a",
    "exponential, in a look ahead": r"(?=(?:a|a)*b)a",
    "exponential, without regard to case": r"(?i:x)(?:[A-Z]x|[a-z]x)*1",
}
LINEAR = [
    r"[a-z]+/[a-z]+(?:;[a-z]+=[a-z]+)*",
    r"(?>a+)+",
    r"(?:a++)*+",
    r"(?:[ \t]*+;[ \t]*+(?:\w+=\w+)?+)*+",
    r"(?>.*?a)(?>.*?a).*a",
    r"[0-9a-f]{8}(-[0-9a-f]{4}){3}",
    r"(?!.*--)[a-z-]{1,22}",
    r"",
]


@pytest.mark.parametrize("source", SLOW.values(), ids=SLOW)
def test_what_is_slow_is_found(source: str) -> None:
    assert slow_text(re.compile(source, re.IGNORECASE if "(?i" in source else 0), anywhere=False)


@pytest.mark.parametrize("source", LINEAR)
def test_what_is_linear_is_not_taken_for_slow(source: str) -> None:
    assert slow_text(re.compile(source), anywhere=False) is None


def test_what_is_linear_from_one_start_may_be_slow_from_each() -> None:
    assert slow_text(re.compile(r"\s+x"), anywhere=False) is None
    assert slow_text(re.compile(r"\s+x"), anywhere=True)
