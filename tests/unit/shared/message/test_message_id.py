"""Ids of messages: each hop through the queue has its own, which nobody else can predict."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.message.message_id import (
    MessageId,
    bus_id_key,
    digest_suffix,
    initial_bus_id,
    is_message_id,
    spellings,
)

BODY = b"a.sealed.message"
KEY = bus_id_key("secret of the database")


@pytest.mark.parametrize("text", ["0af7651916cd43dd8448eb211c80319c", "a", "_-", "a" * 80])
def test_an_id(text: str) -> None:
    assert is_message_id(text)
    assert MessageId.parse(text) == MessageId(text)


@pytest.mark.parametrize("text", ["", "../x", "a b", "a\n", "ä", "٣", "a" * 81])
def test_what_is_not_an_id(text: str) -> None:
    assert not is_message_id(text)
    assert MessageId.parse(text) is None


@pytest.mark.parametrize(
    ("text", "following"),
    [
        ("id-1", "id-1.1"),
        ("id-1.1", "id-1.2"),
        (f"id-1.1{digest_suffix(BODY)}", "id-1.2"),
        ("id-1.r7", "id-1.r7.1"),
        (f"id-1.r7{digest_suffix(BODY)}", "id-1.r7.1"),
        (f"id-1.r7.9{digest_suffix(b'another')}", "id-1.r7.10"),
    ],
)
def test_every_hop_has_an_id_of_its_own_and_always_the_same(text: str, following: str) -> None:
    found = MessageId.parse(text)
    assert found is not None
    assert found.next_bus_id(BODY) == found.next_bus_id(BODY) == f"{following}{digest_suffix(BODY)}"


def test_the_key_of_bus_ids_is_of_one_secret_and_is_not_the_secret() -> None:
    keys = {bus_id_key(secret) for secret in ("", "a", "b", "a" * 1000)}
    assert len(keys) == 4
    assert {len(key) for key in keys} == {32}
    ids = {initial_bus_id("id-1", b"f", key) for key in keys}
    assert len(ids) == 4


def test_a_digest_suffix_is_of_one_body() -> None:
    suffixes = {digest_suffix(body) for body in (b"", b"a", b"b", BODY, BODY + b"\n")}
    assert len(suffixes) == 5
    assert {len(one) for one in suffixes} == {17}


def test_the_first_hop_has_the_same_id_at_each_attempt_and_another_for_another_message() -> None:
    assert initial_bus_id("id-1", None, KEY) == "id-1"
    assert (
        initial_bus_id("id-1", b"f", KEY)
        == initial_bus_id("id-1", b"f", KEY)
        != initial_bus_id("id-1", b"g", KEY)
    )
    assert MessageId.parse(initial_bus_id("id-1", b"f", KEY)) == MessageId("id-1")


@given(st.text(max_size=30) | st.from_regex(r"[a-z]{1,3}(\.r\d)?(\.\d)?(~.{16})?", fullmatch=True))
def test_an_id_that_is_read_is_followed_by_one_that_is_read(text: str) -> None:
    found = MessageId.parse(text)
    if found:
        following = MessageId.parse(found.next_bus_id(BODY))
        assert following == MessageId(found.id, found.replay, found.hop + 1)


def test_the_longest_id_is_no_longer_than_the_bus_allows() -> None:
    longest = MessageId("x" * 80, 10**18 - 1, 10**9 - 2).next_bus_id(BODY)
    assert len(longest) <= 128
    assert MessageId.parse(longest) == MessageId("x" * 80, 10**18 - 1, 10**9 - 1)


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("0f8fad5b-d9cb-469f-a165-70867728950e", ("0f8fad5b-d9cb-469f-a165-70867728950e",)),
        (
            "0F8FAD5B-D9CB-469F-A165-70867728950E",
            ("0F8FAD5B-D9CB-469F-A165-70867728950E", "0f8fad5b-d9cb-469f-a165-70867728950e"),
        ),
        ("Mine", ("Mine",)),
        ("", ()),
        ("a/b", ()),
        ("A" * 81, ()),
    ],
)
def test_an_id_in_capitals_means_the_same_where_it_is_a_uuid(
    text: str, meant: tuple[str, ...]
) -> None:
    assert spellings(text) == meant
