"""Deployments of other projects boot, and what is not served of them is listed."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
from azure.core.exceptions import HttpResponseError
from azure.identity import ManagedIdentityCredential
from azure.keyvault.keys.crypto import CryptographyClient
from azure.keyvault.secrets import SecretClient
from azure.servicebus import ServiceBusClient, TransportType
from azure.servicebus.exceptions import ServiceBusError

from tests.pipeline.cloud_process import ROOT, Running, running

_STRANGERS = Path(__file__).parent / "strangers"


def _snapshot(project: str) -> Path:
    return _STRANGERS / project / "main.snapshot.json"


@pytest.fixture(scope="module")
def orders(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    folder = tmp_path_factory.mktemp("orders")
    secrets = folder / "secrets.json"
    secrets.write_text('{"paymentKey": "a payment key"}')
    options = ("--secrets", str(secrets))
    with running(folder / "folder", _snapshot("orders"), *options) as up:
        yield up


@pytest.fixture(scope="module")
def web(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with running(tmp_path_factory.mktemp("web") / "folder", _snapshot("web")) as up:
        yield up


def _identity(up: Running, name: str) -> Mapping[str, str]:
    """Return what `python -m local identity` prints."""
    command = [sys.executable, "-m", "local", "identity", name, "--folder", str(up.folder)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    lines = [line.removeprefix("export ") for line in done.stdout.splitlines()]
    return dict(line.split("=", 1) for line in lines)


def _secrets(up: Running, credential: ManagedIdentityCredential) -> SecretClient:
    return SecretClient(
        up.endpoints["vaults"]["shop-vault"], credential, verify_challenge_resource=False
    )


def _take(monkeypatch: pytest.MonkeyPatch, environment: Mapping[str, str]) -> None:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)


def test_what_is_not_served_of_a_deployment_is_listed(orders: Running) -> None:
    output = " ".join(orders.folder.with_suffix(".output").read_text().split())
    for kind in ("Microsoft.Web/sites (1)", "Microsoft.Sql/servers (1)"):
        assert kind in output.partition("not served")[2].partition("roles")[0]
    assert "they grant nothing: 420fcaa2-552c-430f-98ca-3264be4806c7" in output
    assert "sql-connection (what only Azure computes)" in output


def test_secrets_have_the_values_that_the_deployment_gives_them(
    orders: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    _take(monkeypatch, _identity(orders, "shop-orders"))
    with ManagedIdentityCredential() as credential, _secrets(orders, credential) as client:
        assert client.get_secret("payment-key").value == "a payment key"
        assert client.get_secret("currency").value == "EUR"
        assert client.get_secret("sql-connection").value
    assert "a payment key" not in (orders.folder / "deployed.json").read_text()


def test_a_contributor_may_not_use_what_is_in_a_vault(
    orders: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    _take(monkeypatch, _identity(orders, "shop-live"))
    with (
        ManagedIdentityCredential() as credential,
        _secrets(orders, credential) as client,
        pytest.raises(HttpResponseError, match="ForbiddenByRbac"),
    ):
        client.get_secret("currency")


def test_a_queue_is_received_from_by_whom_the_deployment_says(
    orders: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    _take(monkeypatch, _identity(orders, "shop-orders"))
    with (
        ManagedIdentityCredential() as credential,
        ServiceBusClient(
            "shop-bus.servicebus.windows.net",
            credential,
            custom_endpoint_address=orders.endpoints["bus"],
            connection_verify=orders.ca,
            transport_type=TransportType.Amqp,
            retry_total=0,
        ) as client,
    ):
        with client.get_queue_receiver("orders", max_wait_time=1) as receiver:
            assert receiver.receive_messages() == []
        sender = client.get_queue_sender("orders")
        with pytest.raises(ServiceBusError), sender:
            sender.create_message_batch()


def test_a_deployment_without_a_bus_boots_and_its_key_signs(
    web: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    environment = _identity(web, "web")
    _take(monkeypatch, environment)
    key = f"{web.endpoints['vaults']['web-vault']}keys/sign"
    with (
        ManagedIdentityCredential(client_id=environment["AZURE_CLIENT_ID"]) as credential,
        CryptographyClient(key, credential, verify_challenge_resource=False) as client,
    ):
        encrypted = client.encrypt("RSA-OAEP-256", b"digest")  # type: ignore[arg-type]
        assert client.decrypt("RSA-OAEP-256", encrypted.ciphertext).plaintext == b"digest"  # type: ignore[arg-type]


def test_an_identity_that_is_not_there_is_named_with_those_that_are(web: Running) -> None:
    command = [sys.executable, "-m", "local", "identity", "other", "--folder", str(web.folder)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == "error: there is no identity 'other' here; known: web\n"
