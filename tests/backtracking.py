"""Counts what a backtracking engine such as Python's does for an expression, without a clock.

An expression is parsed by Python's own parser. From its parts texts are made that repeat each of
its loops in every combination of what the loop takes, and then end in what does not match; the
steps over such texts of growing length show whether the expression is linear. The model knows none
of the engine's shortcuts, so it counts too many steps rather than too few.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterator
from importlib import import_module
from itertools import islice, product
from typing import Any

# What `re` itself compiles with; there is no public parser.
_parser: Any = import_module("re._parser")
_MOST_SAMPLES = 24
_MOST_STEPS = 20_000
_LENGTHS = (8, 16, 32)
# Twice the text takes twice the steps at most, or, of a quadratic expression, four times as many.
_GROWTH = 2.5
_NEVER = "\x00"  # behind every attack; see also `_breaks`

Match = Callable[[int], bool]


class TooManyStepsError(Exception):
    """The expression takes more steps than any linear one would."""


class _Engine:
    def __init__(self, text: str, known: dict[tuple[int, str], bool], *, ignore_case: bool) -> None:
        self._text = text
        self._known = known
        self._ignore_case = ignore_case
        self.steps = 0
        self._does: dict[str, Callable[[Any, int, Match], bool]] = {
            **dict.fromkeys(("LITERAL", "NOT_LITERAL", "IN", "ANY"), self._one),
            **dict.fromkeys(("MAX_REPEAT", "MIN_REPEAT"), self._repeat),
            **dict.fromkeys(("ASSERT", "ASSERT_NOT"), self._around),
            "BRANCH": self._branch,
            "SUBPATTERN": self._group,
            "ATOMIC_GROUP": self._atomic,
            "POSSESSIVE_REPEAT": self._possessive,
            "AT": self._at,
        }

    def run(self, nodes: list[Any], at: int, then: Match) -> bool:
        self.steps += 1
        if self.steps > _MOST_STEPS:
            raise TooManyStepsError
        if not nodes:
            return then(at)
        rest = nodes[1:]
        return self._does[str(nodes[0][0])](nodes[0], at, lambda end: self.run(rest, end, then))

    def _one(self, node: Any, at: int, then: Match) -> bool:
        return self._takes(node, at) and then(at + 1)

    def _branch(self, node: Any, at: int, then: Match) -> bool:
        for branch in node[1][1]:  # noqa: SIM110 - a generator deepens the stack of C
            if self.run(list(branch), at, then):
                return True
        return False

    def _group(self, node: Any, at: int, then: Match) -> bool:
        return self.run(list(node[1][3]), at, then)

    def _atomic(self, node: Any, at: int, then: Match) -> bool:
        end = self.first(list(node[1]), at)
        return end is not None and then(end)

    def _possessive(self, node: Any, at: int, then: Match) -> bool:
        low, high, body = node[1]
        count = 0
        while count < high:
            end = self.first(list(body), at)
            if end is None or (end == at and count >= low):
                break
            at, count = end, count + 1
        return count >= low and then(at)

    def _around(self, node: Any, at: int, then: Match) -> bool:
        direction, body = node[1]
        # What is behind always has one width; Python refuses any other.
        begin = at if direction == 1 else at - body.getwidth()[0]
        found = begin >= 0 and self.first(list(body), begin) is not None
        return found == (str(node[0]) == "ASSERT") and then(at)

    def _at(self, node: Any, at: int, then: Match) -> bool:
        is_end = str(node[1]).startswith("AT_END")
        return at == (len(self._text) if is_end else 0) and then(at)

    def first(self, nodes: list[Any], at: int) -> int | None:
        ends: list[int] = []

        def end(position: int) -> bool:
            ends.append(position)
            return True

        return ends[0] if self.run(nodes, at, end) else None

    def _repeat(self, node: Any, at: int, then: Match, count: int = 0) -> bool:
        op, (low, high, body) = node

        def again() -> bool:
            return count < high and self.run(
                list(body),
                at,
                lambda end: (end > at or count < low) and self._repeat(node, end, then, count + 1),
            )

        if str(op) == "MIN_REPEAT":
            return (count >= low and then(at)) or again()
        return again() or (count >= low and then(at))

    def _takes(self, node: Any, at: int) -> bool:
        if at >= len(self._text):
            return False
        known = (id(node), self._text[at])
        if known not in self._known:
            self._known[known] = _takes(node, self._text[at], ignore_case=self._ignore_case)
        return self._known[known]


def _takes(node: Any, character: str, *, ignore_case: bool = False) -> bool:
    op, argument = str(node[0]), node[1]
    if op == "ANY":
        return character != "\n"
    if op == "IN":
        negated = str(argument[0][0]) == "NEGATE"
        members = argument[1:] if negated else argument
        found = any(_takes(member, character, ignore_case=ignore_case) for member in members)
        return found != negated
    spellings = {character, character.lower(), character.upper()} if ignore_case else {character}
    if op == "RANGE":
        return any(argument[0] <= ord(one) <= argument[1] for one in spellings if len(one) == 1)
    if op == "CATEGORY":
        name = str(argument).removeprefix("CATEGORY_")
        kind = {"DIGIT": r"\d", "SPACE": r"\s", "WORD": r"\w"}[name.removeprefix("NOT_")]
        return bool(re.match(kind, character)) != name.startswith("NOT_")
    same = argument in [ord(one) for one in spellings if len(one) == 1]
    return same != (op == "NOT_LITERAL")


def _nodes(nodes: Any) -> Iterator[Any]:
    """Yield every node of a parsed expression."""
    for node in nodes:
        yield node
        for body in _bodies(node):
            yield from _nodes(body)


def _bodies(node: Any) -> list[Any]:
    op, argument = str(node[0]), node[1]
    if op == "BRANCH":
        return list(argument[1])
    if op == "SUBPATTERN":
        return [argument[3]]
    if op in ("MAX_REPEAT", "MIN_REPEAT", "POSSESSIVE_REPEAT"):
        return [argument[2]]
    if op == "ATOMIC_GROUP":
        return [argument]
    return [argument[1]] if op in ("ASSERT", "ASSERT_NOT") else []


def _is_one(node: Any) -> bool:
    return str(node[0]) in ("LITERAL", "NOT_LITERAL", "IN", "ANY")


def _alphabet(parsed: Any) -> list[str]:
    """Return one character for each set of nodes that takes it: the others behave alike."""
    ones = [node for node in _nodes(parsed) if _is_one(node)]
    found: dict[tuple[bool, ...], str] = {}
    for code in range(1, 256):
        signature = tuple(_takes(node, chr(code)) for node in ones)
        if any(signature):
            found.setdefault(signature, chr(code))
    return list(found.values())


def _samples(nodes: list[Any], alphabet: list[str]) -> list[str]:
    """Return texts that the nodes take, in every combination of choices that there is room for."""
    parts = [_samples_of(node, alphabet) for node in nodes]
    return list(dict.fromkeys(map("".join, islice(product(*parts), _MOST_SAMPLES))))


def _samples_of(node: Any, alphabet: list[str]) -> list[str]:
    op, argument = str(node[0]), node[1]
    if op == "LITERAL":
        return [chr(argument)]
    if _is_one(node):
        # Of a wide set, what other parts of the expression take as well is worth most.
        return [one for one in alphabet if _takes(node, one)] or ["\u0100"]
    if op == "BRANCH":
        return [text for branch in argument[1] for text in _samples(list(branch), alphabet)]
    if op in ("MAX_REPEAT", "MIN_REPEAT", "POSSESSIVE_REPEAT"):
        low, high, body = argument
        inner = _samples(list(body), alphabet)
        more = [text * max(low, 1) for text in inner]
        return ["", *more] if low == 0 < high else more
    if op == "SUBPATTERN":
        return _samples(list(argument[3]), alphabet)
    return _samples(list(argument), alphabet) if op == "ATOMIC_GROUP" else [""]


def _loops(nodes: list[Any], prefix: str, alphabet: list[str]) -> Iterator[tuple[str, str]]:
    """Yield for each loop a text that leads to it, and each text that it can repeat."""
    for node in nodes:
        for body in _bodies(node):
            yield from _loops(list(body), prefix, alphabet)
            if "REPEAT" in str(node[0]):
                for unit in _samples(list(body), alphabet):
                    if unit:
                        yield prefix, unit
        prefix += (_samples_of(node, alphabet) or [""])[-1]


def _breaks(alphabet: list[str]) -> list[str]:
    return [_NEVER, *(one + _NEVER for one in alphabet[:6])]


class _Counter:
    """Counts the steps of one expression over any text."""

    def __init__(self, parsed: Any, flags: int, *, anywhere: bool) -> None:
        self._nodes = list(parsed)
        self._ignore_case = bool(flags & re.IGNORECASE)
        self._anywhere = anywhere
        self._known: dict[tuple[int, str], bool] = {}

    def steps(self, text: str) -> int:
        """Return the steps. Raises `TooManyStepsError`."""
        if not self._anywhere:
            engine = _Engine(text, self._known, ignore_case=self._ignore_case)
            engine.run(self._nodes, 0, len(text).__eq__)
            return engine.steps
        total = start = 0
        while start < len(text):
            engine = _Engine(text, self._known, ignore_case=self._ignore_case)
            end = engine.first(self._nodes, start)
            total += engine.steps
            if total > _MOST_STEPS:
                raise TooManyStepsError
            start = max(start + 1, end or 0)
        return total


def slow_text(pattern: re.Pattern[Any], *, anywhere: bool) -> str | None:
    """Return a text over which the expression is slower than linear, or None.

    `anywhere` is for `search` and its like, which begin anew at each character; otherwise the
    whole text has to match.
    """
    # The model calls itself for each step; since 3.11 that needs no more of the stack of C.
    before = sys.getrecursionlimit()
    sys.setrecursionlimit(max(before, 20 * _MOST_STEPS))
    try:
        return _slow_text(pattern, anywhere=anywhere)
    finally:
        sys.setrecursionlimit(before)


def _slow_text(pattern: re.Pattern[Any], *, anywhere: bool) -> str | None:
    source = pattern.pattern
    text = source.decode("latin-1") if isinstance(source, bytes) else str(source)
    parsed = _parser.parse(text, pattern.flags & ~re.UNICODE)
    alphabet = _alphabet(parsed)
    counter = _Counter(parsed, pattern.flags, anywhere=anywhere)
    for prefix, unit in dict.fromkeys(_loops(list(parsed), "", alphabet)):
        for end in _breaks(alphabet):
            counts = []
            for length in _LENGTHS:
                attack = prefix + unit * length + end
                try:
                    counts.append(counter.steps(attack))
                except TooManyStepsError:
                    return attack
            if counts[2] > _GROWTH * max(counts[:2]):
                return attack
    return None
