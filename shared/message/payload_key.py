"""Key Vault: encrypt or decrypt with one key. One request per operation."""

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
from shared.message.envelope import ALGORITHM, DecryptionError, WrappedKey
from shared.standards.base64url import encode

_RETRIED = frozenset({"GET", "POST"})


class VaultKey:
    """One key of one vault, under one identity."""

    def __init__(
        self,
        key: KeyVaultId,
        credential: AsyncTokenCredential,
        network: ConnectionOptions | None = None,
    ) -> None:
        self._key = key
        self._client = KeyClient(
            key.vault_url, credential, **client_options(network or ConnectionOptions())
        )

    @property
    def url(self) -> str:
        """Where the key is, without a version."""
        return self._key.url

    async def encrypt(self, plaintext: bytes) -> WrappedKey:
        """Encrypt with the key's current version. Raises `VaultError`."""
        key_id, ciphertext = await self._operate("", "encrypt", plaintext)
        # The message will carry the id in this response: that of another key would make the
        # receiver ask another vault.
        if not self._key.version_of(key_id):
            raise VaultRefusedError(f"encrypt with {self._key.url}", "answered for another key")
        return WrappedKey(key_id, ciphertext)

    async def decrypt(self, wrapped: WrappedKey) -> bytes:
        """Decrypt with the version that `wrapped` names.

        Raises `DecryptionError` for a key that is not this one and for what the vault cannot
        decrypt, `VaultError` for any other failure.
        """
        version = self._key.version_of(wrapped.key_id)
        # The key id comes from the message: it selects a version, never a vault or a key. So a
        # sender cannot make this identity call anything else (a confused deputy).
        if version is None:
            raise DecryptionError("wrong-key", "it names a key that is not this receiver's")
        try:
            _, plaintext = await self._operate(version, "decrypt", wrapped.ciphertext)
        except VaultRefusedError as error:
            raise DecryptionError("wrong-key", "Key Vault cannot decrypt its data key") from error
        return plaintext

    async def close(self) -> None:
        """Close the connections."""
        await self._client.close()

    async def _operate(self, version: str, operation: str, value: bytes) -> tuple[str, bytes]:
        # The operation itself, not CryptographyClient: that first tries to get the key, which
        # these identities may not do, and would drop the version from its answer.
        request = HttpRequest(
            "POST",
            f"keys/{self._key.name}/{version}/{operation}",
            json={"alg": ALGORITHM, "value": encode(value)},
        )
        doing = f"{operation} with {self._key.url}"
        async with answering(doing):
            response = await self._client.send_request(request, retry_on_methods=_RETRIED)
        if response.status_code != 200:
            raise error_for_status(doing, response.status_code, response)
        try:
            body = response.json()
            return str(body["kid"]), _decode(body["value"])
        except (KeyError, TypeError, ValueError):
            raise VaultUnavailableError(doing, "its answer is not Key Vault's") from None


def _decode(text: str) -> bytes:
    return pybase64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
