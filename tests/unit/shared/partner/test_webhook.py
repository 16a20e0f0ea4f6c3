"""The webhook: how a delivery is signed."""

from __future__ import annotations

import base64

from shared.message.protected_header import MessageHeader
from shared.partner.delivery import Delivery
from shared.partner.webhook import Webhook
from shared.standards.trace_context import TraceContext

URL = "https://partner.example/messages"
SECRET = "whsec_" + base64.b64encode(bytes(range(24))).decode()
TRACE = f"00-{'1' * 32}-{'2' * 16}-01"


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
    delivery = Delivery(MessageHeader("id", "a/b"), b"\xff", TraceContext(TRACE, "a=b"))
    headers = webhook(SECRET, other).headers(delivery, 1)
    alone = [webhook(s).headers(delivery, 1) for s in (SECRET, other)]
    assert headers["webhook-signature"] == " ".join(one["webhook-signature"] for one in alone)
    assert {"traceparent": TRACE, "tracestate": "a=b"}.items() <= headers.items()
