"""The numbers of formats: read, written, and compared with what a message has."""

from __future__ import annotations

import pytest

from shared.message.formats import EMITTED_FORMAT, KNOWN_FORMATS, Formats, NewerFormatError


@pytest.mark.parametrize(
    ("text", "numbers"), [("1", {1}), ("1,2", {1, 2}), ("9999 , 1,1", {1, 9999})]
)
def test_they_are_read(text: str, numbers: set[int]) -> None:
    assert Formats.parse(text) == Formats(frozenset(numbers))
    assert Formats.parse(str(Formats.parse(text))) == Formats(frozenset(numbers))


@pytest.mark.parametrize("text", ["", ",", "1,", "0", "01", "1;2", "1.0", "-1", "10000", "all"])
def test_what_is_not_a_list_of_numbers_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="must be numbers of formats"):
        Formats.parse(text)


def test_what_is_emitted_is_known() -> None:
    KNOWN_FORMATS.check(EMITTED_FORMAT)


def test_newer_is_what_is_above_all_that_is_accepted() -> None:
    formats = Formats(frozenset({2, 4}))
    formats.check(2)
    formats.check(4)
    with pytest.raises(NewerFormatError):
        formats.check(5)
    for number in (1, 3):
        with pytest.raises(ValueError, match=f"format {number} is not accepted any more"):
            formats.check(number)
