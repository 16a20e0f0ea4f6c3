from __future__ import annotations

import base64
import json
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.azure.network import ConnectionOptions
from shared.azure.vault import VaultUnavailableError
from shared.message.protected_header import MessageHeader
from shared.partner.delivery import (
    Delivery,
    PartnerDeniedError,
    PartnerRefusedError,
    PartnerSecretError,
    PartnerUnavailableError,
)
from shared.partner.partner import Partner, read_secret
from shared.partner.service_bus import PartnerQueue

SECRET = "whsec_" + base64.b64encode(bytes(range(24))).decode()
URL = "https://partner.example/messages"


def document(**changes: Any) -> str:
    return json.dumps({"kind": "webhook", "url": URL, "secrets": [SECRET]} | changes)


@pytest.mark.parametrize(
    ("text", "named"),
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
def test_a_secret_of_another_form_is_named_and_not_shown(text: str, named: str) -> None:
    with pytest.raises(PartnerSecretError, match=named) as caught:
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
    ("changes", "named"),
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
def test_a_queue_of_another_form_is_named_and_not_shown(
    changes: dict[str, Any], named: str
) -> None:
    secret = {"kind": "servicebus", "connection_string": CONNECTION, "queue": "inbox"} | changes
    with pytest.raises(PartnerSecretError, match=named) as caught:
        read_secret(json.dumps(secret))
    assert "planted" not in str(caught.value)


def test_nothing_secret_is_in_what_is_printed() -> None:
    shown = repr(read_secret(document()))
    assert SECRET not in shown
    assert repr(bytes(range(24)))[2:-1] not in shown
    assert "planted" not in repr(Delivery(MessageHeader("id", "a/b"), b"planted"))


@dataclass
class Secret:
    """A secret of which `values` are read, one after the other; the last one stays."""

    values: list[str]
    error: Exception | None = None
    forgotten: list[str] = field(default_factory=list)

    async def value(self) -> str:
        if self.error:
            raise self.error
        return self.values[0]

    def forget(self, value: str) -> None:
        self.forgotten.append(value)
        if len(self.values) > 1:
            self.values.pop(0)


@dataclass
class Targets:
    """Where deliveries go; a target of `errors` raises."""

    errors: dict[object, Exception] = field(default_factory=dict)
    sent: list[object] = field(default_factory=list)
    is_open: bool = True

    async def send(self, target: object, delivery: Delivery) -> None:
        self.sent.append(target)
        if target in self.errors:
            raise self.errors[target]

    async def close(self) -> None:
        self.is_open = False


ONE, OTHER = document(), document(url="https://other.example/")
QUEUE = json.dumps({"kind": "servicebus", "connection_string": CONNECTION, "queue": "inbox"})
DELIVERY = Delivery(MessageHeader("id", "a/b"), b"payload")
DENIED = PartnerDeniedError("it answered 401")


async def test_the_secret_decides_where_a_delivery_goes() -> None:
    webhooks, queues = Targets(), Targets()
    secret = Secret([ONE, QUEUE])
    partner = Partner(secret, webhooks, queues)
    await partner.deliver(DELIVERY)
    secret.forget(ONE)
    await partner.deliver(DELIVERY)
    assert (webhooks.sent, queues.sent) == ([read_secret(ONE)], [read_secret(QUEUE)])
    await partner.close()
    assert not webhooks.is_open
    assert not queues.is_open


async def test_a_secret_is_parsed_once_for_all_messages_and_anew_when_it_changes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    parsed: list[str] = []

    def counted(text: str) -> object:
        parsed.append(text)
        return read_secret(text)

    monkeypatch.setattr("shared.partner.partner.read_secret", counted)
    webhooks, secret = Targets(), Secret([ONE, OTHER, ONE])
    partner = Partner(secret, webhooks, Targets())
    for _ in range(3):
        for _ in range(5):
            await partner.deliver(DELIVERY)
        secret.forget("")
    assert parsed == [ONE, OTHER, ONE]
    assert len(webhooks.sent) == 15


async def test_a_secret_that_was_rotated_is_used_at_once() -> None:
    webhooks = Targets({read_secret(ONE): DENIED})
    secret = Secret([ONE, OTHER])
    await Partner(secret, webhooks, Targets()).deliver(DELIVERY)
    assert webhooks.sent == [read_secret(ONE), read_secret(OTHER)]
    assert secret.forgotten == [ONE]


async def test_a_partner_that_denies_is_not_asked_twice_with_the_same_secret() -> None:
    webhooks = Targets({read_secret(ONE): DENIED})
    with pytest.raises(PartnerDeniedError):
        await Partner(Secret([ONE]), webhooks, Targets()).deliver(DELIVERY)
    assert len(webhooks.sent) == 1


async def test_a_partner_that_denies_two_secrets_is_asked_twice_and_no_more() -> None:
    webhooks = Targets({read_secret(ONE): DENIED, read_secret(OTHER): DENIED})
    with pytest.raises(PartnerDeniedError):
        await Partner(Secret([ONE, OTHER, ONE]), webhooks, Targets()).deliver(DELIVERY)
    assert len(webhooks.sent) == 2


@pytest.mark.parametrize("error", [PartnerUnavailableError("away"), PartnerRefusedError("400")])
async def test_any_other_failure_is_final_for_this_attempt(error: Exception) -> None:
    webhooks, secret = Targets({read_secret(ONE): error}), Secret([ONE, OTHER])
    with pytest.raises(type(error)):
        await Partner(secret, webhooks, Targets()).deliver(DELIVERY)
    assert (len(webhooks.sent), secret.forgotten) == (1, [])


async def test_a_secret_of_another_form_is_read_anew_by_the_next_message() -> None:
    webhooks, secret = Targets(), Secret(["{}", ONE])
    partner = Partner(secret, webhooks, Targets())
    with pytest.raises(PartnerSecretError):
        await partner.deliver(DELIVERY)
    await partner.deliver(DELIVERY)
    assert (secret.forgotten, webhooks.sent) == (["{}"], [read_secret(ONE)])


@pytest.mark.parametrize(
    "error",
    [
        UnicodeError("planted"),
        KeyError("planted"),
        TimeoutError(),
        ExceptionGroup("x", [OSError()]),
    ],
)
async def test_what_nobody_foresaw_is_a_failed_attempt(
    error: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    webhooks, secret = Targets({read_secret(ONE): error}), Secret([ONE, OTHER])
    with pytest.raises(PartnerUnavailableError, match=type(error).__name__) as caught:
        await Partner(secret, webhooks, Targets()).deliver(DELIVERY)
    assert (len(webhooks.sent), secret.forgotten) == (1, [])
    assert "planted" not in caplog.text + str(caught.value)
    assert f"{type(error).__name__} at test_partner.py" in caplog.text


async def test_a_secret_that_makes_its_reader_fail_is_a_wrong_secret(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fail(_: str) -> None:
        raise AttributeError("planted")

    monkeypatch.setattr("shared.partner.partner.read_secret", fail)
    secret = Secret([ONE])
    with pytest.raises(PartnerSecretError) as caught:
        await Partner(secret, Targets(), Targets()).deliver(DELIVERY)
    assert "planted" not in str(caught.value)
    assert secret.forgotten == [ONE]


async def test_without_a_secret_nothing_is_sent() -> None:
    webhooks = Targets()
    secret = Secret([ONE], VaultUnavailableError("read", "no answer"))
    with pytest.raises(VaultUnavailableError):
        await Partner(secret, webhooks, webhooks).deliver(DELIVERY)
    assert webhooks.sent == []


async def test_the_real_clients_are_made_for_a_network() -> None:
    partner = Partner.connect(Secret(["{}"]), 1.0, ConnectionOptions())
    with pytest.raises(PartnerSecretError):
        await partner.deliver(DELIVERY)
    await partner.close()
