from __future__ import annotations

import pytest

from local.key_vault.responses import big_endian, object_attributes, page, secret_attributes
from local.key_vault.store import KeyVersion, SecretVersion


def test_every_object_has_attributes_and_tags() -> None:
    found = object_attributes(KeyVersion("1", 5, enabled=False))
    assert found["tags"] == {}
    assert found["attributes"] == {
        "enabled": False,
        "created": 5,
        "updated": 5,
        "recoveryLevel": "Recoverable",
        "recoverableDays": 90,
    }


def test_a_secret_also_has_an_expiry_a_content_type_and_tags() -> None:
    secret = SecretVersion("1", 5, "planted", "a/b", {"t": "1"}, 9)
    found = secret_attributes(secret)
    assert found["contentType"] == "a/b"
    assert found["tags"] == {"t": "1"}
    attributes = found["attributes"]
    assert isinstance(attributes, dict)
    assert attributes["exp"] == 9
    assert "planted" not in str(found)
    assert "contentType" not in secret_attributes(SecretVersion("1", 5, "v", None))


def test_a_page_is_the_only_one() -> None:
    assert page([{"a": 1}]) == {"value": [{"a": 1}], "nextLink": None}


@pytest.mark.parametrize(("number", "data"), [(1, b"\1"), (65537, b"\1\0\1"), (256, b"\1\0")])
def test_a_number_takes_as_few_bytes_as_hold_it(number: int, data: bytes) -> None:
    assert big_endian(number) == data
