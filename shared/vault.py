"""Key Vault: encrypt or decrypt with one key, read one secret. One request per operation."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any

import pybase64
from azure.core.credentials_async import AsyncTokenCredential
from azure.core.exceptions import (
    AzureError,
    ClientAuthenticationError,
    HttpResponseError,
)
from azure.core.rest import HttpRequest
from azure.keyvault.keys.aio import KeyClient
from azure.keyvault.secrets.aio import SecretClient

from shared.base64url import encode
from shared.envelope import ALGORITHM, UnopenableError, WrappedKey
from shared.key_vault_id import KeyVaultId
from shared.network import Network
from shared.retry_after import retry_after
from shared.single_flight import SingleFlight

_SECRET_MIN_SECONDS = 5
_LONGEST_RETRY_AFTER = 3600.0


class VaultError(Exception):
    """Key Vault did not do it. `retry_after` is in seconds, where the vault gave it."""

    def __init__(
        self, doing: str, why: str, status: int | None = None, after: float | None = None
    ) -> None:
        super().__init__(f"{doing}: {why}")
        self.status = status
        self.retry_after = after


class VaultUnavailableError(VaultError):
    """It is away or throttles: the same operation may succeed later."""


class VaultDeniedError(VaultError):
    """The identity is not attached here, or lacks the right."""


class VaultRefusedError(VaultError):
    """The request itself cannot succeed: no such object or version, or input it cannot use."""


class VaultKey:
    """One key of one vault, under one identity."""

    def __init__(
        self, key: KeyVaultId, credential: AsyncTokenCredential, network: Network | None = None
    ) -> None:
        self._key = key
        self._client = KeyClient(key.vault_url, credential, **_options(network or Network()))

    async def encrypt(self, plaintext: bytes) -> WrappedKey:
        """Encrypt with the key's current version. Raises `VaultError`."""
        key_id, ciphertext = await self._operate("", "encrypt", plaintext)
        # The answer's id is what the message will carry; one of another key would send the
        # receiver elsewhere.
        if not self._key.version_of(key_id):
            raise VaultRefusedError(f"encrypt with {self._key.url}", "answered for another key")
        return WrappedKey(key_id, ciphertext)

    async def decrypt(self, wrapped: WrappedKey) -> bytes:
        """Decrypt with the version that `wrapped` names.

        Raises `UnopenableError` for a key that is not this one and for what the vault cannot
        decrypt, `VaultError` when the vault did not get to try.
        """
        version = self._key.version_of(wrapped.key_id)
        # A key id comes from the message: it picks a version, never a vault or a key. So a
        # sender cannot make this identity call anything else (a confused deputy).
        if version is None:
            raise UnopenableError("foreign", "it names a key that is not this receiver's")
        try:
            _, plaintext = await self._operate(version, "decrypt", wrapped.ciphertext)
        except VaultRefusedError as error:
            raise UnopenableError("foreign", "Key Vault cannot decrypt its data key") from error
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
        try:
            response = await self._client.send_request(request, retry_on_methods=_RETRIED)
        except AzureError as error:
            raise _translated(doing, error) from error
        if response.status_code != 200:
            raise _refused(doing, response.status_code, response.headers)
        try:
            body = response.json()
            return str(body["kid"]), _decode(body["value"])
        except (KeyError, TypeError, ValueError):
            raise VaultUnavailableError(doing, "its answer is not Key Vault's") from None


class VaultSecret:
    """One secret of one vault, under one identity, kept for `seconds`."""

    def __init__(
        self,
        secret: KeyVaultId,
        credential: AsyncTokenCredential,
        seconds: float,
        network: Network | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._secret = secret
        self._seconds = seconds
        self._clock = clock
        self._client = SecretClient(secret.vault_url, credential, **_options(network or Network()))
        self._kept: tuple[str, float] | None = None
        self._fresh_until = 0.0
        self._reading: SingleFlight[str, str] = SingleFlight()

    async def value(self) -> str:
        """Return the current version's value. Raises `VaultError`."""
        if self._kept and self._clock() < self._kept[1]:
            return self._kept[0]
        return await self._reading.run("value", self._read)

    def forget(self, value: str) -> None:
        """Read anew at the next use, if `value` is what is still kept.

        Not within seconds of the last time: a partner that refuses everything must not turn every
        message into a request to the vault.
        """
        if self._kept and self._kept[0] == value and self._clock() >= self._fresh_until:
            self._kept = None

    async def close(self) -> None:
        """Close the connections."""
        await self._client.close()

    async def _read(self) -> str:
        doing = f"read {self._secret.url}"
        try:
            secret = await self._client.get_secret(self._secret.name)
        except AzureError as error:
            raise _translated(doing, error) from error
        if secret.value is None:
            raise VaultRefusedError(doing, "the secret has no value")
        self._kept = secret.value, self._clock() + self._seconds
        self._fresh_until = self._clock() + _SECRET_MIN_SECONDS
        return secret.value


_RETRIED = frozenset({"GET", "POST"})


def _options(network: Network) -> dict[str, Any]:
    # A lost connection is tried again at once. An answer is not: whoever waits, an HTTP caller or
    # the bus, has better means to wait than a thread of this process.
    return {
        "verify_challenge_resource": network.verify_challenge,
        "connection_verify": str(network.ca_bundle) if network.ca_bundle else True,
        "connection_timeout": 5,
        "read_timeout": 15,
        "retry_total": 2,
        "retry_status": 0,
        "retry_backoff_factor": 0.1,
    }


def _translated(doing: str, error: AzureError) -> VaultError:
    status = error.status_code or 0 if isinstance(error, HttpResponseError) else 0
    # What the identity endpoint says is about the identity, whatever its status: a message must
    # not be rejected because its receiver has lost an identity.
    if isinstance(error, ClientAuthenticationError) and status < 500:
        return VaultDeniedError(doing, f"the identity gets no token ({status})", status)
    if isinstance(error, HttpResponseError) and status >= 400:
        return _refused(doing, status, getattr(error.response, "headers", {}))
    return VaultUnavailableError(doing, f"no answer ({type(error).__name__})")


def _refused(doing: str, status: int, headers: Mapping[str, str]) -> VaultError:
    why = f"status {status}"
    if status in (401, 403):
        return VaultDeniedError(doing, why, status)
    if status in (408, 429) or status >= 500:
        after = retry_after(headers)
        # However long it asks for: a message must not wait for years because of one odd answer.
        longest = None if after is None else min(after, _LONGEST_RETRY_AFTER)
        return VaultUnavailableError(doing, why, status, longest)
    return VaultRefusedError(doing, why, status)


def _decode(text: str) -> bytes:
    return pybase64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
