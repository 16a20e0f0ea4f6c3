"""The clients of an app, each under the one identity that may do what it does."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from azure.servicebus.aio import ServiceBusClient

from shared.azure.identities import credential
from shared.azure.key_vault_id import KeyVaultId
from shared.azure.network import ConnectionOptions
from shared.azure.queues import connect
from shared.azure.vault_secret import VaultSecret

if TYPE_CHECKING:
    from shared.azure.vault_key import VaultKey


@dataclass(frozen=True)
class AzureClients:
    """Makes the clients of a deployment. `identity` is the client id of a managed identity."""

    bus_namespace: str
    network: ConnectionOptions

    def bus(self, identity: str) -> ServiceBusClient:
        """Return a client of the deployment's namespace."""
        return connect(self.bus_namespace, credential(identity), self.network)

    def secret(self, secret: KeyVaultId, identity: str, seconds: float) -> VaultSecret:
        """Return a secret, which is read again after `seconds`."""
        return VaultSecret(secret, credential(identity), seconds, self.network)

    def key(self, key: KeyVaultId, identity: str, algorithm: str) -> VaultKey:
        """Return a key to encrypt or decrypt with."""
        from shared.azure.vault_key import VaultKey  # an app without a key never imports it

        return VaultKey(key, algorithm, credential(identity), self.network)
