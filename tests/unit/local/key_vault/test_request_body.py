"""Bodies of requests, and the errors of those that are malformed."""

from __future__ import annotations

import pytest

from local.key_vault.errors import KeyVaultError
from local.key_vault.objects import AttributeChanges
from local.key_vault.request_body import (
    MAX_SECRET,
    MAX_TAGS,
    JsonObject,
    SecretChanges,
    parse_object,
    read_secret,
)


def test_an_object_is_parsed() -> None:
    assert parse_object(b'{"a": [1]}') == {"a": [1]}


@pytest.mark.parametrize(
    "data", [b"", b"[]", b'"a"', b"1", b"{", b"\xff", b'{"a":1}x', b"[" * 100_000]
)
def test_anything_else_is_a_bad_parameter(data: bytes) -> None:
    with pytest.raises(KeyVaultError) as caught:
        parse_object(data)
    assert (caught.value.status, caught.value.code) == (400, "BadParameter")


def test_a_secret_has_what_the_client_sent() -> None:
    assert read_secret({"value": "v"}) == SecretChanges(None, None, AttributeChanges(), "v")
    body = {"value": "v", "contentType": "a/b", "tags": {"t": "1"}, "attributes": {"exp": 9}}
    expected = SecretChanges("a/b", {"t": "1"}, AttributeChanges(expires=9), "v")
    assert read_secret(body) == expected


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"value": None}, "value"),
        ({"value": 1}, "value"),
        ({"value": "planted" * MAX_SECRET}, "value"),
        ({"contentType": 1}, "contentType"),
        ({"tags": ["a"]}, "tags"),
        ({"tags": {"a": 1}}, "tags"),
        ({"tags": {str(number): "" for number in range(MAX_TAGS + 1)}}, "tags"),
        ({"attributes": {"exp": "soon"}}, "attributes.exp"),
        ({"attributes": {"exp": True}}, "attributes.exp"),
        ({"attributes": ["exp"]}, "attributes"),
    ],
)
def test_a_malformed_secret_is_refused_by_property_and_not_repeated(
    changes: JsonObject, named: str
) -> None:
    with pytest.raises(KeyVaultError) as caught:
        read_secret({"value": "planted", **changes})
    assert named in caught.value.message
    assert "planted" not in caught.value.message


def test_a_value_is_not_shown() -> None:
    assert "planted" not in repr(read_secret({"value": "planted"}))
