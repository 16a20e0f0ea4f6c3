"""An app's clients: each under its own identity."""

from __future__ import annotations

from typing import Any

from shared.azure.clients import AzureClients
from shared.azure.identities import credential
from shared.azure.key_vault_id import KeyVaultId
from shared.azure.network import ConnectionOptions

DATABASE = "0f8fad5b-d9cb-469f-a165-70867728950e"
ENCRYPT = "7c9e6679-7425-40de-944b-e07fc1f90ae7"
SECRET = KeyVaultId.parse("https://db.vault.azure.net/secrets/database-connection", "secrets")
KEY = KeyVaultId.parse("https://payload.vault.azure.net/keys/payload", "keys")


def test_an_identity_has_one_credential_and_another_identity_another() -> None:
    assert credential(DATABASE) is credential(DATABASE)
    assert credential(DATABASE) is not credential(ENCRYPT)


def test_a_client_is_made_for_its_object_under_its_identity() -> None:
    clients = AzureClients("relay.servicebus.windows.net", ConnectionOptions())
    bus: Any = clients.bus(ENCRYPT)
    assert bus.fully_qualified_namespace == "relay.servicebus.windows.net"
    assert bus._credential is credential(ENCRYPT)
    assert clients.secret(SECRET, DATABASE, 60).url == SECRET.url
    assert clients.key(KEY, ENCRYPT, "RSA-OAEP-256").id == KEY
