from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.message.envelope import MessageHeader
from shared.partner.delivery import Delivery, PartnerSecretError
from shared.partner.partner import read_secret
from shared.partner.service_bus import PartnerQueue
from shared.partner.webhook import Webhook

SECRET = "whsec_" + base64.b64encode(bytes(range(24))).decode()
URL = "https://partner.example/messages"


def webhook(text: str) -> Webhook:
    read = read_secret(text)
    assert isinstance(read, Webhook)
    return read


def document(**changes: Any) -> str:
    return json.dumps({"kind": "webhook", "url": URL, "secrets": [SECRET]} | changes)


def test_the_signature_is_that_of_standard_webhooks() -> None:
    # The example of the specification's reference libraries.
    secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
    context = MessageHeader("msg_p5jXN8AQM9LWM0D4loKWxJek", "application/json")
    headers = webhook(document(secrets=[secret])).headers(
        Delivery(context, b'{"test": 2432232314}'), 1614265330
    )
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
    headers = webhook(document(secrets=[SECRET, other])).headers(delivery, 1)
    alone = [webhook(document(secrets=[s])).headers(delivery, 1) for s in (SECRET, other)]
    assert headers["webhook-signature"] == " ".join(one["webhook-signature"] for one in alone)
    assert headers["traceparent"] == delivery.trace


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "not a JSON document"),
        ("[" * 10_000, "not a JSON document"),
        ("null", "not of `kind`"),
        ('{"kind": "unset", "todo": "planted"}', "the value that it was made with"),
        (document(kind="planted"), "not of `kind`"),
        (document(url="http://planted.example/"), "`url`"),
        (document(url="https://user:planted@partner.example/"), "`url`"),
        (document(url="https://:443/planted"), "`url`"),
        (document(url="https://planted:99999/"), "`url`"),
        (document(url=["planted"]), "`url`"),
        (document(secrets=[]), "`secrets`"),
        (document(secrets="planted"), "`secrets`"),
        (document(secrets=["planted"]), "signing secret"),
        (document(secrets=[SECRET, "whsec_planted!"]), "signing secret"),
        (document(secrets=[SECRET.removeprefix("whsec_")]), "signing secret"),
        (document(secrets=["whsec_" + base64.b64encode(bytes(23)).decode()]), "signing secret"),
        (document(secrets=["whsec_" + base64.b64encode(bytes(65)).decode()]), "signing secret"),
        (document(secrets=[7]), "signing secret"),
    ],
)
def test_a_secret_of_another_form_is_told_and_not_shown(text: str, told: str) -> None:
    with pytest.raises(PartnerSecretError, match=told) as caught:
        read_secret(text)
    assert "planted" not in str(caught.value)


@given(text=st.text() | st.dictionaries(st.text(), st.text()).map(json.dumps))
def test_no_text_escapes_the_domain_error(text: str) -> None:
    with pytest.raises(PartnerSecretError):
        read_secret(text)


CONNECTION = (
    "Endpoint=sb://partner.servicebus.windows.net/;SharedAccessKeyName=send;SharedAccessKey=a2V5"
)


def test_the_partner_can_be_a_queue() -> None:
    secret = {"kind": "servicebus", "connection_string": CONNECTION, "queue": "inbox"}
    assert read_secret(json.dumps(secret)) == PartnerQueue("inbox", CONNECTION)
    assert "a2V5" not in repr(read_secret(json.dumps(secret)))


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"queue": ""}, "`queue`"),
        ({"queue": "planted queue"}, "`queue`"),
        ({"queue": 7}, "`queue`"),
        ({"connection_string": ""}, "`connection_string`"),
        ({"connection_string": "planted"}, "`connection_string`"),
        ({"connection_string": "Endpoint=sb://planted/"}, "`connection_string`"),
        ({"connection_string": None}, "`connection_string`"),
    ],
)
def test_a_queue_of_another_form_is_told_and_not_shown(changes: dict[str, Any], told: str) -> None:
    secret = {"kind": "servicebus", "connection_string": CONNECTION, "queue": "inbox"} | changes
    with pytest.raises(PartnerSecretError, match=told) as caught:
        read_secret(json.dumps(secret))
    assert "planted" not in str(caught.value)


def test_nothing_secret_is_in_what_is_printed() -> None:
    shown = repr(read_secret(document()))
    assert SECRET not in shown
    assert repr(bytes(range(24)))[2:-1] not in shown
    assert "planted" not in repr(Delivery(MessageHeader("id", "a/b"), b"planted"))
