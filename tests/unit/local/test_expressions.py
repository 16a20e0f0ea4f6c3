from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from local.expressions import UnknownExpression, parse
from local.resources import Reference


@pytest.mark.parametrize("text", ["", "a", "https://x/", "[not closed", "not opened]", "a [b] c"])
def test_what_is_not_in_brackets_is_a_literal(text: str) -> None:
    assert parse(text) == text


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("[reference('/a/b', '2024-11-30').clientId]", Reference("/a/b", "clientId")),
        ("[reference('/a/b').vaultUri]", Reference("/a/b", "vaultUri")),
        ("[reference('/a/o''b', '1').x]", Reference("/a/o'b", "x")),
        (
            "[reference('/s', '2025-03-01', 'full').identity.principalId]",
            Reference("/s", "identity.principalId"),
        ),
        (
            "[reference('/v', '2026-02-01', 'full').properties.vaultUri]",
            Reference("/v", "vaultUri"),
        ),
    ],
)
def test_references(text: str, expected: Reference) -> None:
    assert parse(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "[]",
        "[literal]",
        "[parameters('secret')]",
        "[reference('/a')]",
        "[reference('/a', '1', 'half').x]",
        "[reference('/a').x[0]]",
        "[reference('/a').x, reference('/b').y]",
        "[reference(resourceId('t', 'n')).x]",
        "[format('{0}secrets/x', reference('/v', '1').vaultUri)]",
        "[reference('/a'.x]",
    ],
)
def test_any_other_expression_is_unknown(text: str) -> None:
    with pytest.raises(UnknownExpression) as caught:
        parse(text)
    assert caught.value.text == text


@given(st.text())
def test_nothing_but_the_one_error_comes_out(text: str) -> None:
    for candidate in (text, f"[{text}]", f"[reference({text})]", f"[reference('{text}').x]"):
        with contextlib.suppress(UnknownExpression):
            parse(candidate)
