"""A partner's secret that the client could never use is refused where it is read."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from azure.servicebus import ServiceBusClient
from hypothesis import given
from hypothesis import strategies as st
from yarl import URL

from shared.partner.delivery import PartnerSecretError
from shared.partner.partner import read_secret
from shared.partner.service_bus import PartnerQueue
from shared.partner.webhook import Webhook

SIGNING = "whsec_" + base64.b64encode(bytes(range(24))).decode()
CONNECTION = (
    "Endpoint=sb://partner.servicebus.windows.net/;SharedAccessKeyName=send;SharedAccessKey=a2V5"
)
# The one kind whose port the client keeps; it takes 5671 in place of any other.
EMULATOR = (
    "Endpoint=sb://127.0.0.1:5672;SharedAccessKeyName=a;SharedAccessKey=b;"
    "UseDevelopmentEmulator=true"
)
SIGNED = (
    "Endpoint=sb://partner.servicebus.windows.net;"
    "SharedAccessSignature=SharedAccessSignature sr=x&sig=y&se=1&skn=z"
)


def webhook(**changes: Any) -> str:
    url = "https://partner.example/in"
    return json.dumps({"kind": "webhook", "url": url, "secrets": [SIGNING]} | changes)


def queue(**changes: Any) -> str:
    connection = {"connection_string": CONNECTION, "queue": "inbox"}
    return json.dumps({"kind": "servicebus"} | connection | changes)


@pytest.mark.parametrize(
    ("url", "problem"),
    [
        ("https://planted.example/in ", "a blank"),
        (" https://planted.example/in", "not an https"),
        ("https://planted.example/in\n", "a blank"),
        ("https://planted.example/a b", "a blank"),
        ("https://planted .example/", "a blank"),
        ("https://planted.example/\u00a0", "a blank"),
        ("https://planted.example/\u2028", "a blank"),
        ("https://plan\tted.example/", "a blank"),
        ("https://planted.example/\x00", "a blank"),
        ("https://relay..planted.example/", "empty label"),
        ("https://.planted.example/", "empty label"),
        (f"https://planted{'x' * 60}.example/", "label of more than 63"),
        ("https://" + "planted." * 40 + "example/", "more than 253"),
        ("https://-planted.example/", "letters, digits"),
        ("https://%70lanted.example/", "letters, digits"),
        ("https://planted.1/", "ends in a number"),
        ("https://plan\\ted.example/", "host name or a port"),
        ("https://planted\ud800.example/", "a blank or a control"),
        ("https://planted.example/\ud800", "a blank or a control"),
        ("https://planted.example:0/", "a port"),
        ("https://planted.example:65536/", "a port"),
        ("https://planted.example:x/", "a port"),
        ("https://user:planted@partner.example/", "a user name or a password"),
        ("https://user@planted.example/", "a user name or a password"),
        ("https://:planted@partner.example/", "a user name or a password"),
        ("https://@planted.example/", "a user name or a password"),
        ("https://planted.example/in#part", "a fragment"),
        ("https://planted.example/in#", "a fragment"),
        ("https://planted.example/%zz", "percent-encoded"),
        ("https://planted.example/?a=100%", "percent-encoded"),
        ("https:///planted", "no host name"),
        ("https:planted.example", "not an https"),
        ("http://planted.example/", "not an https"),
        ("ftp://planted.example/", "not an https"),
        ("", "not an https"),
        (None, "not an https"),
    ],
)
def test_a_url_that_the_client_cannot_post_to_is_refused(url: object, problem: str) -> None:
    with pytest.raises(PartnerSecretError, match=problem) as refused:
        read_secret(webhook(url=url))
    assert "planted" not in str(refused.value)


@pytest.mark.parametrize(
    "url",
    [
        "https://partner.example",
        "HTTPS://Partner.Example:8443/in?sig=a%2Fb&x=1",
        "https://b\u00fccher.example/\u00f6",
        "https://127.0.0.1:7443/messages",
        "https://[::1]:8443/",
        "https://partner.example./in",
    ],
)
def test_a_url_that_the_client_can_post_to_is_taken_as_it_is(url: str) -> None:
    read = read_secret(webhook(url=url))
    assert isinstance(read, Webhook)
    assert read.url == url


@given(
    st.text(st.sampled_from("ap1-._:@/?#%[]\\ \u00e9\u3002\n\x7f"), max_size=40)
    | st.from_regex(r"[a-z.-]{1,70}\.example(:[0-9]{1,6})?(/[ -~]{0,20})?", fullmatch=True)
)
def test_every_url_that_is_taken_the_client_can_look_up(rest: str) -> None:
    try:
        read = read_secret(webhook(url=f"https://{rest}"))
    except PartnerSecretError:
        return
    assert isinstance(read, Webhook)
    url = URL(read.url)
    assert url.raw_host
    url.raw_host.encode("idna")
    assert url.scheme == "https"
    assert url.port


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"connection_string": CONNECTION + ";EntityPath=planted"}, "`EntityPath`"),
        ({"connection_string": CONNECTION + ";entitypath=planted"}, "`EntityPath`"),
        ({"connection_string": CONNECTION + ";EntityPath=INBOX"}, "`EntityPath`"),
        ({"connection_string": CONNECTION.replace("partner.", "planted..")}, "empty label"),
        ({"connection_string": CONNECTION.replace("partner", "planted" * 10)}, "more than 63"),
        ({"connection_string": CONNECTION.replace("partner", "planted partner")}, "a blank"),
        ({"connection_string": CONNECTION.replace("a2V5", "planted ;x=y")}, "a blank"),
        ({"connection_string": CONNECTION.replace("a2V5", "plant\u00e9d")}, "ASCII"),
        ({"connection_string": CONNECTION.replace("a2V5", "planted\ud800")}, "ASCII"),
        ({"connection_string": CONNECTION.replace(";", ";\n")}, "a blank"),
        ({"connection_string": CONNECTION.replace("sb://", "sb://planted@")}, "user name"),
        ({"connection_string": EMULATOR.replace(":5672", ":planted")}, "Service Bus"),
        ({"connection_string": EMULATOR.replace(":5672", ":99999")}, "Service Bus"),
        ({"connection_string": EMULATOR.replace(":5672", ":0")}, "a port"),
        ({"connection_string": CONNECTION.replace(";SharedAccessKey=a2V5", "")}, "Service Bus"),
        ({"connection_string": CONNECTION.replace("a2V5", "")}, "Service Bus"),
    ],
)
def test_a_connection_that_the_client_cannot_use_is_refused(
    changes: dict[str, Any], problem: str
) -> None:
    with pytest.raises(PartnerSecretError, match=problem) as refused:
        read_secret(queue(**changes))
    assert "planted" not in str(refused.value)


@pytest.mark.parametrize(
    "connection",
    [
        CONNECTION + ";EntityPath=inbox",
        CONNECTION + ";",
        CONNECTION + "\n",
        CONNECTION.replace(".net/", ".net:5671/"),
        EMULATOR,
        SIGNED,
    ],
)
def test_a_connection_that_the_client_can_use_is_taken(connection: str) -> None:
    read = read_secret(queue(connection_string=connection))
    assert isinstance(read, PartnerQueue)
    ServiceBusClient.from_connection_string(read.connection_string).get_queue_sender(read.queue)


def test_more_secrets_than_a_header_holds_are_refused() -> None:
    assert isinstance(read_secret(webhook(secrets=[SIGNING] * 10)), Webhook)
    with pytest.raises(PartnerSecretError, match="more than 10"):
        read_secret(webhook(secrets=[SIGNING] * 11))


def test_a_member_that_is_there_twice_is_refused() -> None:
    twice = webhook().replace('"kind"', '"url": "https://planted.example/", "kind"')
    with pytest.raises(PartnerSecretError, match="twice") as refused:
        read_secret(twice)
    assert "planted" not in str(refused.value)


KEYS = "SharedAccessKeyName=send;SharedAccessKey=a2V5"


@pytest.mark.parametrize(
    "host",
    [
        *("partner.servicebus.windows.net", "localhost.example", "127.0.0.1.example", "10.0.0.4"),
        *("0.0.0.0", "partner.example:5672", "[fe80::1]"),  # noqa: S104 - nobody listens
    ],
)
@pytest.mark.parametrize(
    "emulator",
    [
        *("UseDevelopmentEmulator=true", "usedevelopmentemulator=true", "USEDEVELOPMENTEMULATOR=1"),
        *(
            "UseDevelopmentEmulator=True",
            "UseDevelopmentEmulator=false;usedevelopmentemulator=true",
        ),
        "UseDevelopmentEmulator=true;UseDevelopmentEmulator=false",
    ],
)
def test_the_emulators_switch_takes_tls_away_on_loopback_alone(host: str, emulator: str) -> None:
    for text in (
        f"Endpoint=sb://{host};{KEYS};{emulator}",
        f"{emulator};Endpoint=sb://{host}/;{KEYS};",
        f"Endpoint=sb://127.0.0.1;{KEYS};{emulator};HostName=sb://{host}",
    ):
        with pytest.raises(PartnerSecretError, match="UseDevelopmentEmulator") as found:
            read_secret(queue(connection_string=text))
        assert host not in str(found.value)


@pytest.mark.parametrize("host", ["127.0.0.1:5672", "localhost", "LOCALHOST:5672", "[::1]:5672"])
def test_an_emulator_on_loopback_is_taken(host: str) -> None:
    read_secret(queue(connection_string=f"Endpoint=sb://{host};{KEYS};UseDevelopmentEmulator=true"))


@pytest.mark.parametrize("scheme", ["sb", "amqp", "amqps", "http"])
def test_whatever_scheme_an_endpoint_has_the_client_uses_tls(scheme: str) -> None:
    partner = read_secret(queue(connection_string=f"Endpoint={scheme}://relay.example;{KEYS}"))
    assert isinstance(partner, PartnerQueue)
    client = ServiceBusClient.from_connection_string(partner.connection_string)
    assert client._config.use_tls
    assert client._config.connection_port == 5671
