from __future__ import annotations

import base64
import hashlib
import hmac
import time
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from multidict import CIMultiDict
from standardwebhooks import Webhook as ReferenceWebhook
from standardwebhooks.webhooks import WebhookVerificationError

from local.partner.signatures import TOLERANCE, SigningSecret, verify
from shared.message.protected_header import MessageHeader
from shared.partner.delivery import Delivery
from shared.partner.webhook import Webhook

NOW = 1_700_000_000.0
OURS = SigningSecret(b"k" * 32)
OTHER = SigningSecret(b"o" * 32)
# What aiohttp makes of the bytes of a header.
HEADER_TEXT = st.binary(max_size=40).map(lambda raw: raw.decode(errors="surrogateescape"))


# The reference library takes a body as UTF-8 and nothing else.
TEXT_BODY = st.text(max_size=100).map(str.encode)


def headers(
    body: bytes, *by: SigningSecret, message_id: str = "m1", timestamp: str = "1700000000"
) -> CIMultiDict[str]:
    signatures = [f"v1,{secret.sign(message_id, timestamp, body).decode()}" for secret in by]
    return CIMultiDict(
        {
            "Webhook-Id": message_id,
            "Webhook-Timestamp": timestamp,
            "Webhook-Signature": " ".join(signatures),
        }
    )


def test_the_example_of_the_specification_verifies() -> None:
    secret = SigningSecret.parse("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    given = CIMultiDict(
        {
            "webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
            "webhook-timestamp": "1614265330",
            "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
        }
    )
    assert verify([secret], given, b'{"test": 2432232314}', 1614265330)


@given(st.binary(max_size=200))
def test_any_bytes_verify_as_they_were_signed(body: bytes) -> None:
    assert verify([OURS], headers(body, OURS), body, NOW)


@given(st.binary(min_size=1, max_size=50), st.data())
def test_no_altered_byte_verifies(body: bytes, data: st.DataObject) -> None:
    position = data.draw(st.integers(0, len(body) - 1))
    altered = bytearray(body)
    altered[position] ^= data.draw(st.integers(1, 255))
    assert not verify([OURS], headers(body, OURS), bytes(altered), NOW)


@pytest.mark.parametrize("by", [(OURS,), (OTHER, OURS), (OURS, OTHER)])
def test_one_right_signature_among_several_is_enough(by: tuple[SigningSecret, ...]) -> None:
    assert verify([OURS], headers(b"x", *by), b"x", NOW)


def test_each_secret_in_force_is_accepted_and_no_other() -> None:
    signed = headers(b"x", OTHER)
    assert verify([OURS, OTHER], signed, b"x", NOW)
    assert not verify([OURS], signed, b"x", NOW)
    assert not verify([], signed, b"x", NOW)


@pytest.mark.parametrize(
    ("offset", "timely"),
    [(0, True), (TOLERANCE, True), (-TOLERANCE, True), (TOLERANCE + 1, False), (-301, False)],
)
def test_a_timestamp_may_differ_by_five_minutes(offset: int, timely: bool) -> None:
    signed = headers(b"x", OURS, timestamp=str(int(NOW) + offset))
    assert verify([OURS], signed, b"x", NOW) is timely


@pytest.mark.parametrize("name", ["webhook-id", "webhook-timestamp", "webhook-signature"])
def test_a_missing_header_does_not_verify(name: str) -> None:
    signed = headers(b"x", OURS)
    del signed[name]
    assert not verify([OURS], signed, b"x", NOW)


@pytest.mark.parametrize("name", ["webhook-id", "webhook-timestamp", "webhook-signature"])
@given(text=HEADER_TEXT)
def test_no_malformed_header_verifies_or_raises(name: str, text: str) -> None:
    signed = headers(b"x", OURS)
    if text != signed[name]:
        signed[name] = text
        assert not verify([OURS], signed, b"x", NOW)


def test_another_version_of_signature_is_not_accepted() -> None:
    signed = headers(b"x", OURS)
    signed["webhook-signature"] = signed["webhook-signature"].replace("v1,", "v1a,")
    assert not verify([OURS], signed, b"x", NOW)


def test_the_signature_covers_id_timestamp_and_body() -> None:
    expected = hmac.digest(OURS.key, b"m1.17.body", hashlib.sha256)
    assert base64.b64decode(OURS.sign("m1", "17", b"body")) == expected


def test_a_secret_is_what_its_text_says_and_never_shown() -> None:
    secret = SigningSecret.generate()
    assert SigningSecret.parse(secret.text) == secret
    assert secret.text not in repr(secret)


@pytest.mark.parametrize("text", ["", "whsec_", "whsec_AAAA", "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"])
def test_what_is_no_secret_is_refused_without_showing_it(text: str) -> None:
    with pytest.raises(ValueError, match="signing secret") as refusal:
        SigningSecret.parse(text + "?")
    assert text not in str(refusal.value) or not text or text == "whsec_"


@given(st.binary(min_size=24, max_size=64), TEXT_BODY)
def test_the_reference_library_verifies_what_relay_signs(key: bytes, body: bytes) -> None:
    delivery = Delivery(MessageHeader("m1", "text/plain"), body)
    sent = Webhook("https://partner.example", (bytes(24), key)).headers(delivery, int(time.time()))
    reference = ReferenceWebhook(SigningSecret(key).text)
    reference.verify(body, sent, json_parse=False)
    assert verify([SigningSecret(key)], CIMultiDict(sent), body, time.time())
    with pytest.raises(WebhookVerificationError):
        reference.verify(body + b"x", sent, json_parse=False)


@given(st.binary(min_size=24, max_size=64), TEXT_BODY)
def test_the_partner_verifies_what_the_reference_library_signs(key: bytes, body: bytes) -> None:
    secret, now = SigningSecret(key), datetime.now(UTC)
    given = CIMultiDict(
        {
            "webhook-id": "m1",
            "webhook-timestamp": str(int(now.timestamp())),
            "webhook-signature": ReferenceWebhook(secret.text).sign("m1", now, body.decode()),
        }
    )
    assert verify([secret], given, body, now.timestamp())
    assert not verify([secret], given, body + b"x", now.timestamp())
