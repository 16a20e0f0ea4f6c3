"""Each snapshot deploys what is declared and nothing more, and every departure is named."""

from __future__ import annotations

from pathlib import Path

import pytest

from checks.access import load as load_access
from checks.declaration import Access
from checks.declared_settings import declared_settings
from checks.infra import judged
from checks.machines import asked_for
from checks.property_rules import PARAMETERS, read_table
from checks.snapshot import Snapshot
from checks.snapshot import load as load_snapshot
from checks.variants import COMPILED, VARIANTS, defaults, in_every_file

INFRA = Path(__file__).resolve().parents[2] / "infra"


@pytest.fixture(scope="module")
def access() -> Access:
    return load_access(INFRA / "access.json")


def snapshot(name: str) -> Snapshot:
    return load_snapshot(INFRA / f"{name}.snapshot.json")


@pytest.mark.parametrize("name", VARIANTS)
def test_the_snapshot_is_the_declaration_and_every_property_is_explained(
    access: Access, name: str
) -> None:
    assert judged(access, snapshot(name), name) == []


def test_a_snapshot_that_is_named_after_no_variant_is_named(access: Access) -> None:
    (problem,) = judged(access, snapshot("local"), "spare")
    assert problem == "spare is named after no variant: add its parameters to checks/variants.py"


def test_a_snapshot_of_another_variant_than_its_name_is_named(access: Access) -> None:
    for name in ("local-private", "local-policies", "machines"):
        assert judged(access, snapshot("local"), name) != []


def test_every_parameter_file_has_its_snapshot() -> None:
    made = {path.name.removesuffix(".bicepparam") for path in INFRA.glob("*.bicepparam")}
    kept = {path.name.removesuffix(".snapshot.json") for path in INFRA.glob("*.snapshot.json")}
    assert made == kept == set(VARIANTS)


def test_every_parameter_has_another_value_in_some_variant(access: Access) -> None:
    base = {**defaults(), **in_every_file(access)}
    changed = {
        name
        for variant in (*VARIANTS.values(), *COMPILED.values())
        for name, value in variant.items()
        if value != base.get(name)
    }
    # What every parameter file has instead of clock, directory and cloud.
    fixed = {"environmentName", "location", "suffix", "storageSuffix", "expiry", "operators"}
    assert changed == set(read_table(PARAMETERS)["parameters"]) - fixed - {"databasePassword"}


def test_the_settings_of_an_app_are_these(access: Access) -> None:
    receiver = next(app for app in access["apps"] if app["name"] == "receiver")
    assert declared_settings(asked_for(access, snapshot("local")), receiver) == {
        "APPLICATIONINSIGHTS_AUTHENTICATION_STRING": "Authorization=AAD",
        "APPLICATIONINSIGHTS_CONNECTION_STRING": "ConnectionString of telemetry/relay",
        "AzureWebJobsStorage__blobServiceUri": "https://receiverlocal.blob.core.windows.net",
        "AzureWebJobsDisableHomepage": "true",
        "FUNCTIONS_REQUEST_BODY_SIZE_LIMIT": "1238576",
        "AzureWebJobsStorage__credential": "managedidentity",
        "RELAY_ACCESS_IDENTITY_DATABASE": "clientId of identities/database",
        "RELAY_ACCESS_IDENTITY_DECRYPT": "clientId of identities/decrypt",
        "RELAY_ACCESS_IDENTITY_ENCRYPT": "clientId of identities/encrypt",
        "RELAY_ACCESS_IDENTITY_PARTNER": "clientId of identities/partner",
        "RELAY_ACCESS_IDENTITY_RECEIVER_BUS": "clientId of identities/receiver_bus",
        "RELAY_ACCESS_IDENTITY_RECEIVER_PACKAGE": "clientId of identities/receiver_package",
        "RELAY_ACCESS_IDENTITY_SENDER_BUS": "clientId of identities/sender_bus",
        "RELAY_ACCESS_IDENTITY_SENDER_PACKAGE": "clientId of identities/sender_package",
        "RELAY_ACCESS_IDENTITY_TRACKER_BUS": "clientId of identities/tracker_bus",
        "RELAY_ACCESS_IDENTITY_TRACKER_PACKAGE": "clientId of identities/tracker_package",
        "RELAY_ACCESS_KEY_PAYLOAD": "keyUri of vaults/payload/keys/payload",
        "RELAY_ACCESS_QUEUE_DEAD_LETTERS": "dead-letters",
        "RELAY_ACCESS_QUEUE_MESSAGES": "messages",
        "RELAY_ACCESS_QUEUE_RECEIPTS": "receipts",
        "RELAY_ACCESS_QUEUE_REJECTED": "rejected",
        "RELAY_ACCESS_QUEUE_RETRIES": "retries",
        "RELAY_ACCESS_SECRET_DATABASE_CONNECTION": (
            "secretUri of vaults/database/secrets/database-connection"
        ),
        "RELAY_ACCESS_SECRET_PARTNER_CONNECTION": (
            "secretUri of vaults/partner/secrets/partner-connection"
        ),
        "RELAY_ACCESS_IDENTITY_PARTNER_STATE": "clientId of identities/partner_state",
        "RELAY_ACCESS_SECRET_PARTNER_STATE": "secretUri of vaults/state/secrets/partner-state",
        "RELAY_IDENTITY_PARTNER_STATE": "clientId of identities/partner_state",
        "RELAY_SECRET_PARTNER_STATE": "secretUri of vaults/state/secrets/partner-state",
        "OTEL_TRACES_SAMPLER": "microsoft.fixed_percentage",
        "OTEL_TRACES_SAMPLER_ARG": "0.1",
        "PYTHON_ENABLE_OPENTELEMETRY": "true",
        "RELAY_APP": "receiver",
        "RELAY_BUS__clientId": "clientId of identities/receiver_bus",
        "RELAY_BUS__credential": "managedidentity",
        "RELAY_DEPLOYMENT_VERSION": "2",
        "RELAY_BUS__fullyQualifiedNamespace": "relay-local.servicebus.windows.net",
        "RELAY_IDENTITY_DECRYPT": "clientId of identities/decrypt",
        "RELAY_IDENTITY_PARTNER": "clientId of identities/partner",
        "RELAY_IDENTITY_RECEIVER_BUS": "clientId of identities/receiver_bus",
        "RELAY_KEY_PAYLOAD": "keyUri of vaults/payload/keys/payload",
        "RELAY_QUEUE_DEAD_LETTERS": "dead-letters",
        "RELAY_QUEUE_MESSAGES": "messages",
        "RELAY_QUEUE_RECEIPTS": "receipts",
        "RELAY_QUEUE_REJECTED": "rejected",
        "RELAY_QUEUE_RETRIES": "retries",
        "RELAY_SECRET_PARTNER_CONNECTION": "secretUri of vaults/partner/secrets/partner-connection",
    }
