"""Which key opens what: azure-functions-host, AuthenticationLevelHandler and SecretManager."""

from __future__ import annotations

from pathlib import Path

import pytest
from multidict import CIMultiDict

from local.host.keys import (
    AppKeys,
    AuthLevel,
    KeysUnreadableError,
    auth_level_of,
    is_authorized,
    key_from_request,
)

KEYS = AppKeys(bytes(range(32)))
OTHER = AppKeys(bytes(32))
GIVEN = {
    "none": None,
    "wrong": "wrong",
    "not ascii": "schlüssel\udcff",
    "function": KEYS.function("send"),
    "another function": KEYS.function("status"),
    "host": KEYS.host,
    "master": KEYS.master,
    "another app": OTHER.master,
    "cut": KEYS.master[:-1],
    "longer": f"{KEYS.master}=",
}
OPENS = {
    AuthLevel.ANONYMOUS: set(GIVEN),
    AuthLevel.FUNCTION: {"function", "host", "master"},
    AuthLevel.ADMIN: {"master"},
}


@pytest.mark.parametrize("level", AuthLevel)
@pytest.mark.parametrize("given", GIVEN)
def test_a_key_opens_what_it_opens_in_azure(level: AuthLevel, given: str) -> None:
    assert is_authorized(level, GIVEN[given], KEYS, "send") == (given in OPENS[level])


@pytest.mark.parametrize("level", AuthLevel)
@pytest.mark.parametrize("given", GIVEN)
def test_without_keys_nobody_is_asked_for_one(level: AuthLevel, given: str) -> None:
    assert is_authorized(level, GIVEN[given], None, "send")


def test_only_a_function_has_a_key_of_its_own() -> None:
    assert not is_authorized(AuthLevel.FUNCTION, KEYS.function("send"), KEYS)
    assert not is_authorized(AuthLevel.ADMIN, KEYS.host, KEYS)
    assert is_authorized(AuthLevel.ADMIN, KEYS.master, KEYS)


def test_each_key_is_another_and_stays_what_it_is() -> None:
    keys = [AppKeys.fresh() for _ in range(20)]
    named = [k for one in keys for k in (one.master, one.host, *map(one.function, "ab"))]
    assert len(set(named)) == 80
    assert all(len(key) >= 43 for key in named)
    assert AppKeys(keys[0].root).master == keys[0].master
    assert KEYS.function("Send") == KEYS.function("send")
    assert KEYS.function("default") != KEYS.host


def test_no_key_is_shown_by_accident() -> None:
    shown = f"{KEYS!r} {KEYS}"
    assert KEYS.master not in shown
    assert str(KEYS.root) not in shown


@pytest.mark.parametrize(
    ("headers", "query", "given"),
    [
        ([], [], None),
        ([("X-Functions-Key", "h")], [], "h"),
        ([], [("code", "q")], "q"),
        ([], [("CODE", "q")], "q"),
        ([("x-functions-key", "h")], [("code", "q")], "h"),
        ([("x-functions-key", "")], [("code", "q")], None),
        ([], [("code", "")], None),
        ([], [("code", "first"), ("code", "second")], "first"),
        ([("x-functions-key", "first"), ("X-FUNCTIONS-KEY", "second")], [], "first"),
        ([("Authorization", "Bearer h")], [("key", "q")], None),
    ],
)
def test_the_header_counts_and_else_the_query(
    headers: list[tuple[str, str]], query: list[tuple[str, str]], given: str | None
) -> None:
    assert key_from_request(CIMultiDict(headers), query) == given


@pytest.mark.parametrize(
    ("binding", "level"),
    [
        ({}, "function"),
        ({"authLevel": "ANONYMOUS"}, "anonymous"),
        ({"authLevel": "Admin"}, "admin"),
    ],
)
def test_a_trigger_says_its_level(binding: dict[str, object], level: str) -> None:
    assert auth_level_of(binding) is AuthLevel(level)


def test_keys_are_read_from_what_was_written(tmp_path: Path) -> None:
    file = tmp_path / "keys"
    file.write_text(KEYS.text())
    assert AppKeys.read(file) == KEYS


@pytest.mark.parametrize("content", [None, "", "planted", "00", "ff" * 33, "\u00e9" * 64])
def test_a_file_of_something_else_is_named_and_not_shown(
    tmp_path: Path, content: str | None
) -> None:
    file = tmp_path / "keys"
    if content is not None:
        file.write_text(content)
    with pytest.raises(KeysUnreadableError) as refused:
        AppKeys.read(file)
    assert str(file) in str(refused.value)
    assert "planted" not in str(refused.value)
