"""One secret of Key Vault: read under one identity, and kept for a while."""

from __future__ import annotations

import time
from collections.abc import Callable

from azure.core.credentials_async import AsyncTokenCredential
from azure.keyvault.secrets.aio import SecretClient

from shared.azure.key_vault_id import KeyVaultId
from shared.azure.network import ConnectionOptions
from shared.azure.vault import VaultRefusedError, answering, client_options
from shared.concurrency.single_flight import SingleFlight
from shared.standards.secret_text import secret_text

_MIN_SECONDS = 5


class VaultSecret:
    """One secret of one vault, under one identity, kept for `seconds`."""

    def __init__(
        self,
        secret: KeyVaultId,
        credential: AsyncTokenCredential,
        seconds: float,
        network: ConnectionOptions | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._secret = secret
        self._seconds = seconds
        self._clock = clock
        self._client = SecretClient(
            secret.vault_url,
            credential,
            **client_options(secret.vault_url, network or ConnectionOptions()),
        )
        self._kept: tuple[str, float] | None = None
        self._fresh_until = 0.0
        self._reading: SingleFlight[str, str] = SingleFlight()

    @property
    def url(self) -> str:
        """Where the secret is, without a version."""
        return self._secret.url

    async def value(self) -> str:
        """Return the current version's value. Raises `VaultError`."""
        if self._kept and self._clock() < self._kept[1]:
            return self._kept[0]
        return await self._reading.run("value", self._read)

    def forget(self, value: str) -> None:
        """Read it again at the next use, if `value` is the one that is kept.

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
        async with answering(doing, self._secret.url):
            secret = await self._client.get_secret(self._secret.name)
        if secret.value is None:
            raise VaultRefusedError(doing, "the secret has no value")
        value = secret_text(secret.value)
        self._kept = value, self._clock() + self._seconds
        self._fresh_until = self._clock() + _MIN_SECONDS
        return value
