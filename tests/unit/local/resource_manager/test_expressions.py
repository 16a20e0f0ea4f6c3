from __future__ import annotations

import contextlib
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from local.resource_manager.expressions import (
    FunctionCall,
    Reference,
    UnknownExpressionError,
    evaluated,
    guid,
    parse,
)

INFRA = Path(__file__).parents[4] / "infra"


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
        "['literal']",
        "[guid()]",
        "[guid('a').x]",
        "[guid('a',)]",
        "[guid('a' 'b')]",
        "[guid('a'), guid('b')]",
        "[guid(parameters('a'))]",
        "[uniqueString('a')]",
        "[extensionResourceId('/s', 't')]",
        "[extensionResourceId('/s', guid('t'), 'n')]",
        "[extensionResourceId('/s', 't', 'n', 'm')]",
        "[extensionResourceId(reference('/a', '1').id, 't', 'n')]",
        "[reference(guid('/a'), '1').x]",
        "[reference('/a', '1', 'full', '1').x]",
        "[guid(" * 20 + "'a'" + ")" * 20 + "]",
    ],
)
def test_any_other_expression_is_unknown(text: str) -> None:
    with pytest.raises(UnknownExpressionError) as caught:
        parse(text)
    assert caught.value.text == text


IDENTITY = Reference("/identity", "principalId")


def test_names_that_are_made_of_what_is_known_at_run_time() -> None:
    name = "guid('/it''s', reference('/identity', '2024-11-30').principalId, 'role')"
    called = FunctionCall("guid", ("/it's", IDENTITY, "role"))
    assert parse(f"[{name}]") == called
    assert parse(f"[extensionResourceId('/s', 'A/b', {name})]") == FunctionCall(
        "extensionResourceId", ("/s", "A/b", called)
    )


def test_a_guid_is_the_one_that_the_compiler_makes() -> None:
    """Names in a snapshot that it evaluated itself: of an operator, and of custom roles."""
    snapshot = json.loads((INFRA / "local.snapshot.json").read_text())["predictedResources"]
    (group,) = (r["id"] for r in snapshot if r["type"].endswith("/resourceGroups"))
    roles = {r["name"] for r in snapshot if r["type"].endswith("/roleDefinitions")}
    assert guid(group, "keys", "encrypt") in roles
    assert guid(group, "queues", "read") in roles
    assigned = [
        r for r in snapshot if r["type"].endswith("/roleAssignments") and "[" not in r["id"]
    ]
    for one in assigned:
        scope = one["id"].partition("/providers/Microsoft.Authorization/")[0]
        given = one["properties"]
        role = given["roleDefinitionId"].rpartition("/")[2]
        assert one["name"] == guid(scope, given["principalId"], role)
    assert assigned


def test_an_expression_comes_to_what_its_references_come_to() -> None:
    text = "[extensionResourceId('/s', 'A/b', guid('/s', reference('/identity', '1').principalId))]"
    expected = f"/s/providers/A/b/{guid('/s', 'me')}"
    assert evaluated(parse(text), {IDENTITY: "me"}.__getitem__) == expected
    assert evaluated(parse("literal"), {IDENTITY: "me"}.__getitem__) == "literal"
    assert evaluated(IDENTITY, {IDENTITY: "me"}.__getitem__) == "me"


@given(st.text())
def test_nothing_but_the_one_error_comes_out(text: str) -> None:
    for candidate in (
        text,
        f"[{text}]",
        f"[reference({text})]",
        f"[reference('{text}').x]",
        f"[guid('{text}')]",
    ):
        with contextlib.suppress(UnknownExpressionError):
            parse(candidate)
