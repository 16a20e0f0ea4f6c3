"""Rules about one property, whichever resource has it."""

from __future__ import annotations

import pytest

from local.resource_manager.property_rules import (
    Find,
    in_range,
    never_false,
    of,
    one_of,
    required,
)
from local.resource_manager.template import Template

KIND = "A.B/c"
EXPRESSION = "[reference('x').y]"


def found(find: Find, **properties: object) -> list[tuple[str, str]]:
    resource = {"id": "/r", "type": KIND, "properties": properties, "sku": {"name": "x"}}
    other = {"id": "/o", "type": "A.B/other", "properties": {}}
    template = Template({"predictedResources": [resource, other]})
    return [(one.path, one.what) for one in find(template)]


def test_a_missing_property_is_named() -> None:
    assert found(required(of(KIND), "p")) == [("p", "is missing")]
    assert found(required(of(KIND), "p"), p=False) == []
    assert found(required(of(KIND), "p"), p=EXPRESSION) == []


@pytest.mark.parametrize("value", ["a", 1, EXPRESSION, None])
def test_what_is_allowed_or_unknown_passes(value: object) -> None:
    assert found(one_of(of(KIND), "p", ("a", 1)), p=value) == []


@pytest.mark.parametrize("value", ["A", "b", 2, True, [], {}, 1.5])
def test_what_is_not_allowed_is_named_with_what_is(value: object) -> None:
    assert found(one_of(of(KIND), "p", ("a", 1)), p=value) == [("p", "must be one of a, 1")]


def test_the_case_counts_unless_it_is_ignored() -> None:
    assert found(one_of(of(KIND), "p", ("a",), ignores_case=True), p="A") == []


def test_an_absent_one_is_named_where_it_is_required() -> None:
    assert found(one_of(of(KIND), "p", ("a",), is_required=True)) == [("p", "must be one of a")]


def test_a_path_may_start_at_the_resource() -> None:
    assert found(one_of(of(KIND), "/sku.name", ("y",))) == [("sku.name", "must be one of y")]


@pytest.mark.parametrize("value", [7, 90, None, EXPRESSION])
def test_a_number_in_the_range_passes(value: object) -> None:
    assert found(in_range(of(KIND), "p", 7, 90), p=value) == []


@pytest.mark.parametrize("value", [6, 91, "8", True, 8.5, [8]])
def test_anything_else_is_out_of_range(value: object) -> None:
    assert found(in_range(of(KIND), "p", 7, 90), p=value) == [("p", "must be from 7 to 90")]


def test_only_false_is_false() -> None:
    rule = never_false(of(KIND), "p", ": why")
    assert found(rule, p=False) == [("p", "cannot be set to false: why")]
    for value in (True, None, 0, EXPRESSION):
        assert found(rule, p=value) == []
