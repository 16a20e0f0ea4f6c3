"""Parsing SQL filters and actions of rules: everything outside the documented grammar is refused.

Source: Microsoft Learn, "Subscription Rule SQL Filter Syntax", "Subscription Rule SQL Action
Syntax".
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

from local.bus.topics.errors import RuleSyntaxError
from local.bus.topics.sql_nodes import (
    And,
    Calculation,
    Comparison,
    Constant,
    Expression,
    IsIn,
    IsNull,
    Like,
    NewId,
    Not,
    Or,
    Parameter,
    Predicate,
    Property,
    PropertyNamed,
    RemoveProperty,
    SetProperty,
    Signed,
    Statement,
)
from local.bus.topics.sql_tokens import Token, tokens_of
from local.bus.topics.sql_values import UNKNOWN

MAX_DEPTH = 32  # of parentheses and signs: what is deeper would be a deep recursion here
MAX_STATEMENTS = 32  # Microsoft Learn, "Azure Service Bus quotas and limits"
_COMPARISONS = ("=", "<>", "!=", "<", ">", "<=", ">=")
_Node: TypeAlias = Expression | Predicate
_PREDICATES = (Comparison, IsNull, IsIn, Like, Not, And, Or)


def parse_filter(expression: str) -> Predicate:
    """Parse the expression of a SQL filter. Raises RuleSyntaxError."""
    parser = _Parser(expression)
    found = _predicate(parser.disjunction(), parser.next)
    parser.expect_end()
    return found


def parse_action(expression: str) -> tuple[Statement, ...]:
    """Parse the expression of a SQL action. Raises RuleSyntaxError."""
    parser = _Parser(expression)
    statements = [parser.statement()]
    while parser.next.kind != "end":
        statements.append(parser.statement())
    if len(statements) > MAX_STATEMENTS:
        raise RuleSyntaxError(f"The action has more than {MAX_STATEMENTS} statements.")
    return tuple(statements)


class _Parser:
    """One token ahead, one method for each level of precedence."""

    def __init__(self, expression: str) -> None:
        self._tokens = tokens_of(expression)
        self._at = 0
        self._depth = 0

    @property
    def next(self) -> Token:
        return self._tokens[self._at]

    def expect_end(self) -> None:
        if self.next.kind != "end":
            raise RuleSyntaxError(f"The end is expected instead of {self.next}.")

    # Predicates

    def disjunction(self) -> _Node:
        start = self.next
        operands = [self._conjunction()]
        while self._take("keyword", "OR"):
            operands.append(self._conjunction())
        return operands[0] if len(operands) == 1 else Or(_predicates(operands, start))

    def _conjunction(self) -> _Node:
        start = self.next
        operands = [self._negation()]
        while self._take("keyword", "AND"):
            operands.append(self._negation())
        return operands[0] if len(operands) == 1 else And(_predicates(operands, start))

    def _negation(self) -> _Node:
        if not self._take("keyword", "NOT"):
            return self._comparison()
        self._enter()
        start = self.next
        operand = _predicate(self._negation(), start)
        self._leave()
        return Not(operand)

    def _comparison(self) -> _Node:
        start = self.next
        if self._take("keyword", "EXISTS"):
            self._expect("operator", "(")
            found = self._property()
            self._expect("operator", ")")
            return Not(IsNull(found))
        left = self._sum()
        for operator in _COMPARISONS:
            if self._take("operator", operator):
                right_start = self.next
                right = _expression(self._sum(), right_start)
                return Comparison(operator, _expression(left, start), right)
        if self._take("keyword", "IS"):
            is_not = self._take("keyword", "NOT")
            self._expect("keyword", "NULL")
            if not isinstance(left, Property | PropertyNamed):
                raise RuleSyntaxError(f"IS NULL needs a property before it, at {start}.")
            return Not(IsNull(left)) if is_not else IsNull(left)
        return self._membership(left, start)

    def _membership(self, left: _Node, start: Token) -> _Node:
        is_not = self._take("keyword", "NOT")
        found: Predicate
        if self._take("keyword", "IN"):
            found = IsIn(_expression(left, start), self._items())
        elif self._take("keyword", "LIKE"):
            pattern_start = self.next
            pattern = _expression(self._sum(), pattern_start)
            escape = None
            if self._take("keyword", "ESCAPE"):
                escape_start = self.next
                escape = _expression(self._sum(), escape_start)
            found = Like(_expression(left, start), pattern, escape)
        elif is_not:
            raise RuleSyntaxError(f"IN or LIKE is expected instead of {self.next}.")
        else:
            return left
        return Not(found) if is_not else found

    def _items(self) -> tuple[Expression, ...]:
        self._expect("operator", "(")
        items = []
        while True:
            start = self.next
            items.append(_expression(self._sum(), start))
            if not self._take("operator", ","):
                break
        self._expect("operator", ")")
        return tuple(items)

    # Expressions

    def _sum(self) -> _Node:
        return self._operations(("+", "-"), self._product)

    def _product(self) -> _Node:
        return self._operations(("*", "/", "%"), self._signed)

    def _operations(self, operators: tuple[str, ...], operand: Callable[[], _Node]) -> _Node:
        start = self.next
        left = operand()
        while (operator := self.next).kind == "operator" and operator.text in operators:
            self._at += 1
            right_start = self.next
            right = _expression(operand(), right_start)
            left = Calculation(operator.text, _expression(left, start), right)
        return left

    def _signed(self) -> _Node:
        token = self.next
        if token.kind == "operator" and token.text in "+-":
            self._at += 1
            self._enter()
            start = self.next
            operand = _expression(self._signed(), start)
            self._leave()
            return Signed(token.text, operand)
        return self._primary()

    def _primary(self) -> _Node:
        token = self.next
        if self._take("operator", "("):
            self._enter()
            found = self.disjunction()
            self._expect("operator", ")")
            self._leave()
            return found
        if token.kind == "name":
            return self._function() if self._is_call() else self._property()
        self._at += 1
        match token.kind, token.text:
            case "integer", text:
                return Constant(_integer(text, token))
            case "decimal", text:
                return Constant(float(text))
            case "string", text:
                return Constant(text)
            case "parameter", text:
                return Parameter(text)
            case "keyword", "TRUE" | "FALSE":
                return Constant(token.text == "TRUE")
            case "keyword", "NULL":
                return Constant(UNKNOWN)
        raise RuleSyntaxError(f"A value is expected instead of {token}.")

    def _is_call(self) -> bool:
        after = self._tokens[self._at + 1]
        return self.next.is_plain and (after.kind, after.text) == ("operator", "(")

    def _function(self) -> _Node:
        name = self.next
        self._at += 1
        self._expect("operator", "(")
        self._enter()
        found: Expression
        match name.text.lower():
            case "newid":
                found = NewId()
            case "property" | "p":
                start = self.next
                found = PropertyNamed(_expression(self._sum(), start))
            case _:
                raise RuleSyntaxError(f"There is no function {name}.")
        self._leave()
        self._expect("operator", ")")
        return found

    def _property(self) -> Property:
        first = self._name()
        if not self._take("operator", "."):
            return Property(first.text)
        scope = first.text.lower()
        if scope not in ("sys", "user") or not first.is_plain:
            raise RuleSyntaxError(f"The scope is sys or user, not {first}.")
        return Property(self._name().text, is_system=scope == "sys")

    def _name(self) -> Token:
        token = self.next
        if token.kind != "name":
            raise RuleSyntaxError(f"The name of a property is expected instead of {token}.")
        self._at += 1
        return token

    # Statements of actions

    def statement(self) -> Statement:
        """Read one statement, and the semicolon after it, which may be missing."""
        found: Statement
        if self._take("keyword", "SET"):
            target = self._property()
            self._expect("operator", "=")
            start = self.next
            found = SetProperty(target, _expression(self._sum(), start))
        elif self._take("keyword", "REMOVE"):
            found = RemoveProperty(self._property())
        else:
            raise RuleSyntaxError(f"SET or REMOVE is expected instead of {self.next}.")
        self._take("operator", ";")
        return found

    # Tokens

    def _take(self, kind: str, text: str) -> bool:
        if (self.next.kind, self.next.text) != (kind, text):
            return False
        self._at += 1
        return True

    def _expect(self, kind: str, text: str) -> None:
        if not self._take(kind, text):
            raise RuleSyntaxError(f"{text} is expected instead of {self.next}.")

    def _enter(self) -> None:
        # Each level is a call of this parser, and later one of the evaluation.
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise RuleSyntaxError(f"The expression is nested deeper than {MAX_DEPTH} levels.")

    def _leave(self) -> None:
        self._depth -= 1


def _integer(text: str, token: Token) -> int:
    value = int(text)
    if value >= 2**63:
        raise RuleSyntaxError(f"The integer is above 64 bits: {token}.")
    return value


def _predicate(node: _Node, start: Token) -> Predicate:
    if not isinstance(node, _PREDICATES):
        raise RuleSyntaxError(f"A condition is expected instead of the value before or at {start}.")
    return node


def _predicates(nodes: list[_Node], start: Token) -> tuple[Predicate, ...]:
    return tuple(_predicate(node, start) for node in nodes)


def _expression(node: _Node, start: Token) -> Expression:
    if isinstance(node, _PREDICATES):
        raise RuleSyntaxError(f"A value is expected instead of the condition at {start}.")
    return node  # type: ignore[return-value] # every other node is an expression
