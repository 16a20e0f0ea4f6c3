"""Errors about names that nothing has."""

from __future__ import annotations

import pytest

from local.known_names import did_you_mean, unknown_name


def test_a_name_that_is_like_a_known_one_is_hinted_at() -> None:
    assert unknown_name("sendr", ["sender", "receiver"], "app") == (
        "there is no app 'sendr' here; did you mean sender? Known: sender, receiver"
    )
    assert unknown_name("x", ["sender"], "app") == "there is no app 'x' here; known: sender"
    assert unknown_name("x", [], "machine") == "there is no machine 'x' here; known: none"


@pytest.mark.parametrize("given", ["relay_wait_seconds", "RELAY_WAIT_SECOND"])
def test_capital_letters_make_no_difference_to_a_hint(given: str) -> None:
    assert did_you_mean(given, {"RELAY_WAIT_SECONDS"}) == "; did you mean RELAY_WAIT_SECONDS?"


def test_what_is_shown_of_a_wrong_name_is_short_and_no_control_character() -> None:
    shown = unknown_name("\x1b[2J" + "x" * 10_000, ["sender"], "app")
    assert "\x1b" not in shown
    assert len(shown) < 200
