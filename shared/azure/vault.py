"""Key Vault: how it is asked, what its refusals mean, and reading one secret."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from azure.core.credentials_async import AsyncTokenCredential
from azure.core.exceptions import (
    AzureError,
    ClientAuthenticationError,
    HttpResponseError,
)
from azure.keyvault.secrets.aio import SecretClient

from shared.azure.key_vault_id import KeyVaultId
from shared.azure.network import ConnectionOptions
from shared.azure.request_id import of_answer
from shared.concurrency.single_flight import SingleFlight
from shared.errors import RelayError
from shared.standards.retry_after import retry_after
from shared.standards.secret_text import secret_text

_SECRET_MIN_SECONDS = 5
_ANSWER_SECONDS = 20.0
_LONGEST_RETRY_AFTER = 3600.0


class VaultError(RelayError):
    """Key Vault did not do it; `status` is that of its answer, where it gave one."""

    def __init__(
        self,
        doing: str,
        why: str,
        status: int | None = None,
        *,
        retry_after: float | None = None,
    ) -> None:
        super().__init__(f"{doing}: {why}", retry_after=retry_after)
        self.status = status


class VaultUnavailableError(VaultError):
    """It is away or throttles: the same operation may succeed later."""

    transient = True


class VaultDeniedError(VaultError):
    """The identity is not attached here, or lacks the right.

    `request_id` is the one under which whoever refused has it on record, where that was told.
    """

    transient = True
    is_denial = True

    def __init__(
        self, doing: str, why: str, status: int | None = None, request_id: str | None = None
    ) -> None:
        super().__init__(doing, f"{why}, request {request_id}" if request_id else why, status)
        self.request_id = request_id


class VaultRefusedError(VaultError):
    """The request itself cannot succeed: no such object or version, or input it cannot use."""


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
            secret.vault_url, credential, **client_options(network or ConnectionOptions())
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
        async with answering(doing):
            secret = await self._client.get_secret(self._secret.name)
        if secret.value is None:
            raise VaultRefusedError(doing, "the secret has no value")
        value = secret_text(secret.value)
        self._kept = value, self._clock() + self._seconds
        self._fresh_until = self._clock() + _SECRET_MIN_SECONDS
        return value


@asynccontextmanager
async def answering(doing: str) -> AsyncIterator[None]:
    """Ask a vault in it: for so long, all tries and the token included, and no longer.

    Raises `VaultError`. A vault or an identity endpoint that never answers would otherwise keep
    the call for minutes: the SDK waits 300 s for a token.
    """
    try:
        async with asyncio.timeout(_ANSWER_SECONDS):
            yield
    except AzureError as error:
        raise map_error(doing, error) from error
    except TimeoutError:
        raise VaultUnavailableError(doing, f"no answer in {_ANSWER_SECONDS:.0f} s") from None


def client_options(network: ConnectionOptions) -> dict[str, Any]:
    """Return what every client of a vault is made with."""
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


def map_error(doing: str, error: AzureError) -> VaultError:
    """Say what an error of the SDK means for who asked."""
    status = error.status_code or 0 if isinstance(error, HttpResponseError) else 0
    # What the identity endpoint says is about the identity, whatever its status: a message must
    # not be rejected because its receiver has lost an identity.
    if isinstance(error, ClientAuthenticationError) and status < 500:
        why, asked = f"the identity gets no token ({status})", of_answer(error.response)
        return VaultDeniedError(doing, why, status, asked)
    if isinstance(error, HttpResponseError) and status >= 400:
        return error_for_status(doing, status, error.response)
    return VaultUnavailableError(doing, f"no answer ({type(error).__name__})")


def error_for_status(doing: str, status: int, response: Any) -> VaultError:
    """Say what an answer other than success means for who asked."""
    why = f"status {status}"
    if status in (401, 403):
        return VaultDeniedError(doing, why, status, of_answer(response))
    if status in (408, 429) or status >= 500:
        after = retry_after(getattr(response, "headers", {}))
        # However long it asks for: a message must not wait for years because of one odd answer.
        longest = None if after is None else min(after, _LONGEST_RETRY_AFTER)
        return VaultUnavailableError(doing, why, status, retry_after=longest)
    return VaultRefusedError(doing, why, status)
