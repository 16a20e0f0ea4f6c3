"""What a strict object accepts and how it names what it refuses."""

from __future__ import annotations

import contextlib
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from local.strict_json import DocumentPath, StrictObject, extended


class RefusedError(Exception):
    pass


class AnyCase(StrictObject):
    unread = "is not supported here"
    any_case = True


def read(value: object, kind: type[StrictObject] = StrictObject) -> StrictObject:
    return kind(value, DocumentPath(ValueError))


def test_each_form_is_read() -> None:
    document = read(
        {
            "name": "a",
            "tier": "standard",
            "on": True,
            "count": 3,
            "inner": {"x": "y"},
            "list": [{"x": "1"}, {"x": "2"}],
            "names": ["p", "q"],
            "anything": [1],
        }
    )
    assert document.text("name") == "a"
    assert document.choice("tier", ("Standard", "Premium")) == "Standard"
    assert document.flag("on")
    assert document.number("count") == 3
    assert document.body("inner").text("x") == "y"
    assert [one.text("x") for one in document.bodies("list")] == ["1", "2"]
    assert document.texts("names") == ("p", "q")
    assert document.raw("anything") == [1]
    document.reject_unread()


def test_what_is_absent_or_null_is_the_default() -> None:
    document = read(dict.fromkeys(("name", "tier", "on", "count", "inner", "list", "names")))
    assert not document.has("name")
    assert document.text("name", "n") == "n"
    assert document.choice("tier", ("a", "b"), "b") == "b"
    assert document.flag("on", default=True)
    assert document.number("count", 7) == 7
    assert document.body("inner").names() == []
    assert document.bodies("list") == []
    assert document.texts("names", ("z",)) == ("z",)
    document.reject_unread()


@pytest.mark.parametrize(
    ("value", "take", "message"),
    [
        ({}, lambda d: d.text("a"), "a is missing"),
        ({}, lambda d: d.flag("a"), "a is missing"),
        ({}, lambda d: d.number("a"), "a is missing"),
        ({}, lambda d: d.choice("a", ("x",)), "a is missing"),
        ({"a": 1}, lambda d: d.text("a"), "a must be a string"),
        ({"a": "y"}, lambda d: d.choice("a", ("x", "z")), "a 'y' is not one of x, z"),
        ({"a": 1}, lambda d: d.flag("a"), "a must be true or false"),
        ({"a": True}, lambda d: d.number("a"), "a must be a whole number from 0 to 2147483647"),
        ({"a": 1.0}, lambda d: d.number("a", high=5), "a must be a whole number from 0 to 5"),
        ({"a": 6}, lambda d: d.number("a", high=5), "a must be a whole number from 0 to 5"),
        ({"a": 0}, lambda d: d.number("a", low=1, high=5), "a must be a whole number from 1 to 5"),
        ({"a": []}, lambda d: d.body("a"), "a must be an object"),
        ({"a": {}}, lambda d: d.bodies("a"), "a must be an array"),
        ({"a": [{}, 1]}, lambda d: d.bodies("a"), r"a\[1\] must be an object"),
        ({"a": ["x", 1]}, lambda d: d.texts("a"), r"a\[1\] must be a string"),
        ({"a": {"b": 1}}, lambda d: d.body("a").text("b"), r"a\.b must be a string"),
        ({"a": [{"b": 1}]}, lambda d: d.bodies("a")[0].text("b"), r"a\[0\]\.b must be a string"),
        ({"a": {"b": 1}}, lambda d: d.body("a").reject_unread(), r"a\.b is not a known property"),
        ({"a": 1}, lambda d: d.only("a", 2, "must be two"), "a must be two"),
        ([], lambda d: d, "the document must be an object"),
    ],
)
def test_an_error_names_the_place_and_what_is_wrong(
    value: object, take: Callable[[StrictObject], object], message: str
) -> None:
    with pytest.raises(ValueError, match=f"^{message}$"):
        take(read(value))


def test_every_property_has_to_be_accounted_for() -> None:
    document = read({"known": "x", "ignored": 1, "fixed": False, "unknown": 1})
    document.text("known")
    document.ignore("ignored", "absent")
    document.only("fixed", allowed=False, why="must be false")
    document.only("absent", allowed=False, why="must be false")
    assert document.names() == ["unknown"]
    with pytest.raises(ValueError, match=r"^unknown is not a known property$"):
        document.reject_unread()
    assert list(document.rest()) == [("unknown", 1)]
    document.reject_unread()


def test_names_may_be_compared_without_regard_to_case() -> None:
    assert read({"MaxCalls": 1}, AnyCase).number("maxCalls") == 1
    assert read({"Inner": {"X": "y"}}, AnyCase).body("inner").text("x") == "y"
    with pytest.raises(ValueError, match=r"^Inner is not supported here$"):
        read({"Inner": {}}, AnyCase).reject_unread()
    assert not read({"MaxCalls": 1}).has("maxCalls")


LONG = "x" * 10_000


@pytest.mark.parametrize(
    ("value", "take"),
    [
        ({"a": LONG}, lambda document: document.choice("a", ("y",))),
        ({LONG: 1}, lambda document: document.reject_unread()),
    ],
)
def test_neither_a_wrong_value_nor_an_unknown_name_floods_the_error(
    value: object, take: Callable[[StrictObject], object]
) -> None:
    document = read(value)
    with pytest.raises(ValueError, match=r"x{40}") as refused:
        take(document)
    assert len(str(refused.value)) < 200


def test_paths_are_spelt_as_in_a_document() -> None:
    assert extended(extended(extended("", "queues"), 2), "name") == "queues[2].name"


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
)


TAKEN: tuple[Callable[[StrictObject], object], ...] = (
    lambda document: document.text("a"),
    lambda document: document.flag("a"),
    lambda document: document.number("a"),
    lambda document: document.bodies("a"),
    lambda document: document.texts("a"),
    lambda document: document.reject_unread(),
)


@given(JSON)
def test_no_document_raises_anything_but_the_error_of_its_place(value: object) -> None:
    for take in TAKEN:
        with contextlib.suppress(RefusedError):
            take(StrictObject({"a": value}, DocumentPath(RefusedError)))
