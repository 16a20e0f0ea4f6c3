"""The webhook: how a delivery is signed, and what each answer means."""

from __future__ import annotations

import base64

import pytest

from shared.message.protected_header import MessageHeader
from shared.partner.delivery import (
    Delivery,
    DeliveryError,
    PartnerDeniedError,
    PartnerRefusedError,
    PartnerUnavailableError,
)
from shared.partner.webhook import Webhook, error_for_status

URL = "https://partner.example/messages"
SECRET = "whsec_" + base64.b64encode(bytes(range(24))).decode()


def webhook(*secrets: str) -> Webhook:
    return Webhook.from_document({"url": URL, "secrets": list(secrets)})


def test_the_signature_is_that_of_standard_webhooks() -> None:
    # The example of the specification's reference libraries.
    secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
    header = MessageHeader("msg_p5jXN8AQM9LWM0D4loKWxJek", "application/json")
    headers = webhook(secret).headers(Delivery(header, b'{"test": 2432232314}'), 1614265330)
    assert headers == {
        "Content-Type": "application/json",
        "webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
        "webhook-timestamp": "1614265330",
        "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
    }


def test_several_secrets_sign_while_one_is_rotated() -> None:
    other = "whsec_" + base64.b64encode(bytes(64)).decode()
    delivery = Delivery(
        MessageHeader("id", "a/b"), b"\xff", "00-" + "1" * 32 + "-" + "2" * 16 + "-01"
    )
    headers = webhook(SECRET, other).headers(delivery, 1)
    alone = [webhook(s).headers(delivery, 1) for s in (SECRET, other)]
    assert headers["webhook-signature"] == " ".join(one["webhook-signature"] for one in alone)
    assert headers["traceparent"] == delivery.trace


@pytest.mark.parametrize("status", [200, 201, 202, 204, 226, 299])
def test_every_success_is_acceptance(status: int) -> None:
    assert error_for_status(status, {}) is None


@pytest.mark.parametrize(
    ("kind", "statuses"),
    [
        (PartnerDeniedError, [401, 403]),
        (PartnerUnavailableError, [408, 425, 429, 500, 502, 503, 504, 599]),
        (
            PartnerRefusedError,
            [100, 199, 300, 301, 302, 307, 308, 400, 402, 404, 410, 413],
        ),
    ],
)
def test_what_any_other_status_means(kind: type[DeliveryError], statuses: list[int]) -> None:
    for status in statuses:
        error = error_for_status(status, {})
        assert type(error) is kind
        assert str(error) == f"it answered {status}"
        assert error.retry_after is None


@pytest.mark.parametrize(
    ("status", "retry_after"), [(429, 17.0), (503, 17.0), (401, None), (400, None), (301, None)]
)
def test_only_a_partner_that_is_away_says_when_to_come_back(
    status: int, retry_after: float | None
) -> None:
    error = error_for_status(status, {"Retry-After": "17"})
    assert error
    assert error.retry_after == retry_after
