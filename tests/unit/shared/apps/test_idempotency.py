from __future__ import annotations

import uuid

import pytest

from shared.apps.idempotency import IdempotencyKey

KEY = '"8e03978e-40d5-43dd-bc93-6894a57f9324"'


def message_id(key: str = KEY) -> str:
    return IdempotencyKey.parse(key).message_id()


def fingerprint(key: str = KEY, payload: bytes = b"payload", content_type: str = "a/b") -> bytes:
    return IdempotencyKey.parse(key).fingerprint(payload, content_type)


def test_the_same_key_is_the_same_id() -> None:
    assert message_id() == message_id(f"  {KEY} ")
    assert message_id() != message_id('"8e03978e-40d5-43dd-bc93-6894a57f9325"')
    assert uuid.UUID(message_id()).version == 8
    assert uuid.UUID(message_id()).variant == uuid.RFC_4122


@pytest.mark.parametrize(
    "other",
    [
        fingerprint(key='"8e03978e-40d5-43dd-bc93-6894a57f9325"'),
        fingerprint(payload=b"payloae"),
        fingerprint(content_type="a/c"),
        fingerprint(payload=b"bpayload", content_type="a/"),
    ],
)
def test_anything_else_has_another_fingerprint(other: bytes) -> None:
    assert fingerprint() == fingerprint()
    assert other != fingerprint()


def test_a_quote_in_a_key_is_escaped() -> None:
    assert message_id(r'"a \"quoted\" key of a caller"') != message_id(
        r'"a quoted key of a caller"'
    )


@pytest.mark.parametrize(
    "header",
    [
        "",
        '""',
        "planted-without-any-quotes",
        '"planted short"',
        f'"{"p" * 256}"',
        '"planted "in" the middle"',
        '"planted \u00e4 is not ASCII"',
        '"planted \x7f control"',
        '"planted trailing slash\\"',
        f"{KEY}, {KEY}",
    ],
)
def test_a_key_of_another_form_is_refused_and_not_shown(header: str) -> None:
    with pytest.raises(ValueError, match="16 to 255") as caught:
        IdempotencyKey.parse(header)
    assert "planted" not in str(caught.value)


def test_the_key_does_not_show() -> None:
    assert "8e03978e" not in repr(IdempotencyKey.parse(KEY))
