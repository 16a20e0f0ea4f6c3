"""The settings of an app under the Functions Core Tools."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from local.cli.func_settings import local_settings

ENVIRONMENT = {
    "RELAY_APP": "receiver",
    "RELAY_BUS__fullyQualifiedNamespace": "relay-local.servicebus.windows.net",
    "RELAY_BUS__credential": "managedidentity",
    "RELAY_BUS__clientId": "an id",
    "IDENTITY_ENDPOINT": "http://127.0.0.1:7080/msi/token",
    "AzureWebJobsStorage__blobServiceUri": "https://receiverlocal.blob.core.windows.net/",
    "AzureWebJobsStorage__credential": "managedidentity",
    "APPLICATIONINSIGHTS_CONNECTION_STRING": "InstrumentationKey=x",
    "APPLICATIONINSIGHTS_AUTHENTICATION_STRING": "Authorization=AAD",
}


def values() -> dict[str, str]:
    found: Any = local_settings(ENVIRONMENT, Path("/cloud/ca.pem"), 7072)
    assert (found["IsEncrypted"], found["Host"]) == (False, {"LocalHttpPort": 7072})
    assert all(isinstance(value, str) for value in found["Values"].values())
    return dict(found["Values"])


def test_the_app_is_what_the_local_cloud_makes_it() -> None:
    found = values()
    for name in ("RELAY_APP", "RELAY_BUS__credential", "RELAY_BUS__clientId", "IDENTITY_ENDPOINT"):
        assert found[name] == ENVIRONMENT[name]


def test_the_triggers_client_finds_the_bus_by_the_name_of_this_machine() -> None:
    assert values()["RELAY_BUS__fullyQualifiedNamespace"] == "localhost"


def test_the_tools_ask_nothing_and_nothing_goes_to_azure() -> None:
    found = values()
    assert found["FUNCTIONS_WORKER_RUNTIME"] == "python"
    assert found["AzureWebJobsStorage"] == "UseDevelopmentStorage=true"
    assert found["AzureWebJobsSecretStorageType"] == "files"
    assert found["FUNCTIONS_CORE_TOOLS_TELEMETRY_OPTOUT"] == "1"
    assert not [name for name in found if name.startswith("APPLICATIONINSIGHTS")]
    assert not [name for name in found if name.startswith("AzureWebJobsStorage__")]
    assert not [value for value in found.values() if ".windows.net" in value]


def test_certificates_are_trusted_beside_the_public_ones() -> None:
    assert values()["SSL_CERT_FILE"] == "/cloud/ca-bundle.pem"
