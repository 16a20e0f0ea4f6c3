"""Key Vault: how it is called, and what its refusals mean."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import urlsplit

from azure.core.exceptions import (
    AzureError,
    ClientAuthenticationError,
    HttpResponseError,
)

from shared.azure.network import ConnectionOptions
from shared.azure.request_id import of_answer
from shared.errors import RelayError
from shared.standards.addresses import is_loopback
from shared.standards.retry_after import retry_after
from shared.telemetry import recording
from shared.telemetry.metrics import KEY_VAULT
from shared.telemetry.recording import Kind

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
        self.is_throttled = status == 429


class VaultUnavailableError(VaultError):
    """It is away or throttles: the same operation may succeed later."""

    transient = True


class VaultDeniedError(VaultError):
    """The identity is not attached here, or lacks the right.

    `request_id` is the id under which the service that refused has it on record, where it gave one.
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


@asynccontextmanager
async def answering(doing: str, url: str = "") -> AsyncIterator[None]:
    """Call a vault in it, within a time limit for all attempts and the token together.

    `doing` begins with the operation, `url` is that of the key or the secret. Raises `VaultError`.
    """
    about: dict[str, str | int | float] = {
        "az.namespace": "Microsoft.KeyVault",
        "server.address": urlsplit(url).hostname or "",
    }
    operation = doing.split(maxsplit=1)[0]
    with (
        recording.span(f"Key Vault {operation}", Kind.CLIENT, about) as span,
        recording.timed(KEY_VAULT, {**about, "relay.operation": operation}) as measured,
    ):
        try:
            async with _mapping_errors(doing):
                yield
        except VaultError as error:
            if error.status:
                span.set("http.response.status_code", error.status)
                measured["error.type"] = str(error.status)
            raise


@asynccontextmanager
async def _mapping_errors(doing: str) -> AsyncIterator[None]:
    """Raise `VaultError` for errors of the SDK, and where it takes too long.

    A vault or an identity endpoint that never answers would otherwise keep the call for minutes:
    the SDK waits 300 s for a token.
    """
    try:
        async with asyncio.timeout(_ANSWER_SECONDS):
            yield
    except AzureError as error:
        raise map_error(doing, error) from error
    except TimeoutError:
        raise VaultUnavailableError(doing, f"no answer in {_ANSWER_SECONDS:.0f} s") from None


def client_options(vault_url: str, network: ConnectionOptions) -> dict[str, Any]:
    """Return what every client of the vault at `vault_url` is made with."""
    host = urlsplit(vault_url).hostname or ""
    proxy = network.proxy_to(host)
    timeouts = {"connection_timeout": 5, "read_timeout": 15}
    transport: dict[str, Any] = timeouts
    if network.ca_bundle:
        # Only where it is used: it loads what the SDK would not yet.
        from shared.azure.private_transport import PrivateTransport

        transport = {"transport": PrivateTransport(network.ca_bundle, **timeouts)}
    # A lost connection is tried again at once. An answer is not: an HTTP caller and the bus can
    # wait longer than a thread of this process.
    return {
        # Unverified, whoever answers can ask for a token of any service, and gets it.
        "verify_challenge_resource": network.verify_challenge or not is_loopback(host),
        # The environment decides neither on a proxy nor on a password (`.netrc`).
        "use_env_settings": False,
        "proxies": {"https": proxy} if proxy else None,
        # A vault does not redirect, and what is sent to one may be a data key.
        "permit_redirects": False,
        **transport,
        "retry_total": 2,
        "retry_status": 0,
        "retry_backoff_factor": 0.1,
    }


def map_error(doing: str, error: AzureError) -> VaultError:
    """Say what an error of the SDK means for the caller."""
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
    """Say what an answer other than success means for the caller."""
    why = f"status {status}"
    if status in (401, 403):
        return VaultDeniedError(doing, why, status, of_answer(response))
    if status in (408, 429) or status >= 500:
        after = retry_after(getattr(response, "headers", {}))
        # Limited: a message must not wait for years because of one wrong answer.
        longest = None if after is None else min(after, _LONGEST_RETRY_AFTER)
        return VaultUnavailableError(doing, why, status, retry_after=longest)
    return VaultRefusedError(doing, why, status)
