"""Each snapshot deploys what is declared and nothing more, and every departure is named."""

from __future__ import annotations

from pathlib import Path

import pytest

from checks.access import Access
from checks.access import load as load_access
from checks.differences import declared_settings, differences
from checks.snapshot import Snapshot
from checks.snapshot import load as load_snapshot

INFRA = Path(__file__).resolve().parents[2] / "infra"


@pytest.fixture(scope="module")
def access() -> Access:
    return load_access(INFRA / "access.json")


def snapshot(name: str) -> Snapshot:
    return load_snapshot(INFRA / f"{name}.snapshot.json")


@pytest.mark.parametrize("name", ["local", "local-policies"])
def test_the_snapshot_is_the_declaration(access: Access, name: str) -> None:
    assert differences(access, snapshot(name)) == []


def test_every_parameter_file_has_its_snapshot() -> None:
    made = {path.name.removesuffix(".bicepparam") for path in INFRA.glob("*.bicepparam")}
    kept = {path.name.removesuffix(".snapshot.json") for path in INFRA.glob("*.snapshot.json")}
    assert made == kept == {"local", "local-policies"}


def test_the_settings_of_an_app_are_these(access: Access) -> None:
    receiver = next(app for app in access["apps"] if app["name"] == "receiver")
    assert declared_settings(access, receiver) == {
        "AzureWebJobsStorage__blobServiceUri": "https://receiverlocal.blob.core.windows.net",
        "AzureWebJobsStorage__credential": "managedidentity",
        "RELAY_APP": "receiver",
        "RELAY_BUS__clientId": "clientId of identities/receiver_bus",
        "RELAY_BUS__credential": "managedidentity",
        "RELAY_BUS__fullyQualifiedNamespace": "relay-local.servicebus.windows.net",
        "RELAY_IDENTITY_DECRYPT": "clientId of identities/decrypt",
        "RELAY_IDENTITY_PARTNER": "clientId of identities/partner",
        "RELAY_IDENTITY_RECEIVER_BUS": "clientId of identities/receiver_bus",
        "RELAY_KEY_PAYLOAD": "keyUri of vaults/payload/keys/payload",
        "RELAY_QUEUE_MESSAGES": "messages",
        "RELAY_QUEUE_RECEIPTS": "receipts",
        "RELAY_QUEUE_REJECTED": "rejected",
        "RELAY_QUEUE_RETRIES": "retries",
        "RELAY_SECRET_PARTNER_CONNECTION": "secretUri of vaults/partner/secrets/partner-connection",
    }
