"""Each snapshot deploys what is declared and nothing more, and every departure is named."""

from __future__ import annotations

from pathlib import Path
from typing import cast

import pytest

from checks.access import load as load_access
from checks.declaration import Access, DeclaredApp
from checks.declared_settings import declared_settings
from checks.infra import judged
from checks.property_rules import PARAMETERS, read_table
from checks.snapshot import Snapshot
from checks.snapshot import load as load_snapshot
from checks.variants import COMPILED, VARIANTS, defaults, in_every_file
from shared.settings.version import DEPLOYMENT_VERSION

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


SMALL = {
    "identities": [{"name": name} for name in ("open", "read", "app_bus", "app_package", "seal")],
    "keys": [{"name": "payload", "vault": "sealing"}],
    "secrets": [{"name": "partner-connection", "vault": "partner"}],
    "queues": [{"name": "in"}, {"name": "dead-letters"}],
    "keyGrants": [
        {"identity": "open", "vault": "sealing", "key": "payload", "operations": ["decrypt"]},
        {"identity": "seal", "vault": "sealing", "key": "other", "operations": ["encrypt"]},
    ],
    "secretGrants": [{"identity": "read", "vault": "partner", "secret": "partner-connection"}],
    "queueGrants": [{"identity": "app_bus", "queue": "in", "rights": ["receive"]}],
}


def test_the_settings_of_an_app_are_these() -> None:
    """Of a declaration of its own: what `infra/access.json` has beside changes nothing here."""
    app = {
        "name": "receiver",
        "identities": ["open", "read", "app_bus", "app_package"],
        "package": "app_package",
        "trigger": {"identity": "app_bus", "queues": ["in"]},
        "status": "tracker",
    }
    assert declared_settings(cast("Access", SMALL), cast("DeclaredApp", app)) == {
        "APPLICATIONINSIGHTS_AUTHENTICATION_STRING": "Authorization=AAD",
        "APPLICATIONINSIGHTS_CONNECTION_STRING": "ConnectionString of telemetry/relay",
        "AzureWebJobsStorage__blobServiceUri": "https://receiverlocal.blob.core.windows.net",
        "AzureWebJobsDisableHomepage": "true",
        "FUNCTIONS_REQUEST_BODY_SIZE_LIMIT": "1238576",
        "AzureWebJobsStorage__credential": "managedidentity",
        "OTEL_TRACES_SAMPLER": "microsoft.fixed_percentage",
        "OTEL_TRACES_SAMPLER_ARG": "0.1",
        "PYTHON_ENABLE_OPENTELEMETRY": "true",
        "RELAY_ACCESS_IDENTITY_APP_BUS": "clientId of identities/app_bus",
        "RELAY_ACCESS_IDENTITY_APP_PACKAGE": "clientId of identities/app_package",
        "RELAY_ACCESS_IDENTITY_OPEN": "clientId of identities/open",
        "RELAY_ACCESS_IDENTITY_READ": "clientId of identities/read",
        "RELAY_ACCESS_IDENTITY_SEAL": "clientId of identities/seal",
        "RELAY_ACCESS_KEY_PAYLOAD": "keyUri of vaults/sealing/keys/payload",
        "RELAY_ACCESS_QUEUE_DEAD_LETTERS": "dead-letters",
        "RELAY_ACCESS_QUEUE_IN": "in",
        "RELAY_ACCESS_SECRET_PARTNER_CONNECTION": (
            "secretUri of vaults/partner/secrets/partner-connection"
        ),
        "RELAY_APP": "receiver",
        "RELAY_BUS__clientId": "clientId of identities/app_bus",
        "RELAY_BUS__credential": "managedidentity",
        "RELAY_BUS__fullyQualifiedNamespace": "relay-local.servicebus.windows.net",
        "RELAY_DEPLOYMENT_VERSION": str(DEPLOYMENT_VERSION),
        "RELAY_IDENTITY_APP_BUS": "clientId of identities/app_bus",
        "RELAY_IDENTITY_OPEN": "clientId of identities/open",
        "RELAY_IDENTITY_READ": "clientId of identities/read",
        "RELAY_KEY_PAYLOAD": "keyUri of vaults/sealing/keys/payload",
        "RELAY_QUEUE_IN": "in",
        "RELAY_SECRET_PARTNER_CONNECTION": "secretUri of vaults/partner/secrets/partner-connection",
        "RELAY_STATUS_URL": "https://relay-tracker-local.azurewebsites.net",
    }
