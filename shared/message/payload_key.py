"""The key that data keys are wrapped with: what its vault's answers mean for a message."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from http import HTTPStatus
from typing import Protocol

from shared.azure.key_vault_id import KeyVaultId
from shared.azure.vault import VaultDeniedError, VaultRefusedError, VaultUnavailableError
from shared.concurrency.expiring import ExpiringEntries
from shared.message.envelope import DecryptionError, WrappedKey

_MODULUS_BYTES = frozenset({256, 384, 512})  # of the RSA keys of Key Vault: 2048 to 4096 bits
_VERSIONS = 1000
_DENIED_SECONDS = 5.0


class KeyOperations(Protocol):
    """One key of a vault, as `VaultKey` is. Both operations raise `VaultError`."""

    id: KeyVaultId

    async def encrypt(self, plaintext: bytes) -> tuple[str, bytes]:
        """Return the versioned id of what it was encrypted with, and the ciphertext."""

    async def decrypt(self, version: str, ciphertext: bytes) -> bytes:
        """Return what was encrypted with a version of the key."""

    async def close(self) -> None:
        """Close the connections."""


# Nothing of a message is in a request to encrypt. So what is wrong is the key, which an operator
# can correct; only with these the relay itself is: a request that Key Vault cannot read, or (None)
# an answer for another key.
_FAULTS = (HTTPStatus.BAD_REQUEST, None)


class PayloadKey:
    """Wraps and unwraps data keys with one key of a vault.

    What a message names is checked before the vault is asked, and a version that the vault denies
    is not asked for again within seconds: otherwise whoever may send decides what the vault costs.
    """

    def __init__(self, key: KeyOperations, clock: Callable[[], float] = time.monotonic) -> None:
        self._key = key
        self._lengths: ExpiringEntries[str, int] = ExpiringEntries(_VERSIONS, math.inf, clock)
        self._denied: ExpiringEntries[str, VaultDeniedError] = ExpiringEntries(
            _VERSIONS, _DENIED_SECONDS, clock
        )

    @property
    def url(self) -> str:
        """Where the key is, without a version."""
        return self._key.id.url

    async def encrypt(self, plaintext: bytes) -> WrappedKey:
        """Encrypt with the key's current version. Raises `VaultError`.

        A key that is missing or deleted is unavailable: an operator can recover or make it.
        """
        try:
            return WrappedKey(*await self._key.encrypt(plaintext))
        except VaultRefusedError as error:
            if error.status in _FAULTS:
                raise
            why = f"the key cannot be used (status {error.status})"
            raise VaultUnavailableError(f"encrypt with {self.url}", why, error.status) from error

    async def decrypt(self, wrapped: WrappedKey) -> bytes:
        """Decrypt with the version that `wrapped` names.

        Raises `DecryptionError` for a key that is not this one and for what the vault cannot
        decrypt, `VaultError` for any other failure.
        """
        version = self._key.id.version_of(wrapped.key_id)
        # The key id comes from the message: it selects a version, never a vault or a key. So a
        # sender cannot make this identity call anything else (a confused deputy).
        if version is None:
            raise DecryptionError("wrong-key", "it names a key that is not this receiver's")
        if not self._may_be_wrapped(version, len(wrapped.ciphertext)):
            raise DecryptionError("wrong-key", "its wrapped key is not as long as the vault's key")
        if denied := self._denied.get(version):
            raise denied.with_traceback(None)
        try:
            plaintext = await self._key.decrypt(version, wrapped.ciphertext)
        except VaultRefusedError as error:
            raise DecryptionError("wrong-key", "Key Vault cannot decrypt its data key") from error
        except VaultDeniedError as error:
            self._denied.put(version, error)
            raise
        self._lengths.put(version, len(wrapped.ciphertext))
        return plaintext

    async def close(self) -> None:
        """Close the connections."""
        await self._key.close()

    def _may_be_wrapped(self, version: str, length: int) -> bool:
        # RSA: a ciphertext is as long as the modulus (RFC 8017 section 7.1.1). The receiver may not
        # get the key; the first message that opens shows how long the modulus of its version is.
        known = self._lengths.get(version)
        return length == known if known else length in _MODULUS_BYTES
