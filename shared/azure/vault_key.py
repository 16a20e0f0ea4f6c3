"""One key of Key Vault: encrypt and decrypt with it. One request per operation."""

from __future__ import annotations

import pybase64
from azure.core.credentials_async import AsyncTokenCredential
from azure.core.rest import HttpRequest
from azure.keyvault.keys.aio import KeyClient

from shared.azure.key_vault_id import KeyVaultId
from shared.azure.network import ConnectionOptions
from shared.azure.vault import (
    VaultRefusedError,
    VaultUnavailableError,
    answering,
    client_options,
    error_for_status,
)
from shared.standards.base64url import encode

_RETRIED = frozenset({"GET", "POST"})


class VaultKey:
    """One key of one vault, under one identity. `algorithm` is a name of RFC 7518, section 4.1."""

    def __init__(
        self,
        key: KeyVaultId,
        algorithm: str,
        credential: AsyncTokenCredential,
        network: ConnectionOptions | None = None,
    ) -> None:
        self.id = key
        self._algorithm = algorithm
        self._client = KeyClient(
            key.vault_url,
            credential,
            **client_options(key.vault_url, network or ConnectionOptions()),
        )

    async def encrypt(self, plaintext: bytes) -> tuple[str, bytes]:
        """Return the versioned id of the key's current version, and the ciphertext.

        Raises `VaultError`.
        """
        key_id, ciphertext = await self._operate("", "encrypt", plaintext)
        # The answer's id is what the message will carry; one of another key would send the
        # receiver elsewhere.
        if not self.id.version_of(key_id):
            raise VaultRefusedError(f"encrypt with {self.id.url}", "answered for another key")
        return key_id, ciphertext

    async def decrypt(self, version: str, ciphertext: bytes) -> bytes:
        """Return what was encrypted with a version of the key. Raises `VaultError`."""
        _, plaintext = await self._operate(version, "decrypt", ciphertext)
        return plaintext

    async def close(self) -> None:
        """Close the connections."""
        await self._client.close()

    async def _operate(self, version: str, operation: str, value: bytes) -> tuple[str, bytes]:
        # The operation itself, not CryptographyClient: that first tries to get the key, which
        # these identities may not do, and would drop the version from its answer.
        request = HttpRequest(
            "POST",
            f"keys/{self.id.name}/{version}/{operation}",
            json={"alg": self._algorithm, "value": encode(value)},
        )
        doing = f"{operation} with {self.id.url}"
        async with answering(doing, self.id.url):
            response = await self._client.send_request(request, retry_on_methods=_RETRIED)
            if response.status_code != 200:
                raise error_for_status(doing, response.status_code, response)
        try:
            body = response.json()
            return str(body["kid"]), _decode(body["value"])
        except (KeyError, TypeError, ValueError, RecursionError):
            raise VaultUnavailableError(doing, "its answer is not Key Vault's") from None


def _decode(text: str) -> bytes:
    return pybase64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
