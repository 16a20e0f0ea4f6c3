from __future__ import annotations

import pytest

from shared.ledger.sqlstate import is_about_the_connection


@pytest.mark.parametrize(
    "code",
    [
        *("08000", "08003", "08006", "08P01", "25006", "25P03", "25P04", "26000", "42P05"),
        *("57P01", "57P02", "57P03", "57P04", "57P05", "58030", "F0000", "XX000", "XX001"),
    ],
)
def test_an_error_that_only_another_connection_avoids_is_about_it(code: str) -> None:
    assert is_about_the_connection(code)


@pytest.mark.parametrize(
    "code",
    [None, "", "00000", "22003", "23505", "40001", "40P01", "42P01", "42501", "53300", "57014"],
)
def test_any_other_is_not(code: str | None) -> None:
    assert not is_about_the_connection(code)
