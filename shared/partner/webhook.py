"""The partner as a webhook: signed HTTP posts (Standard Webhooks)."""

from __future__ import annotations

import base64
import binascii
import hmac
import ssl
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any
from urllib.parse import urlsplit

import aiohttp

from shared.azure.network import ConnectionOptions
from shared.partner.delivery import (
    Delivery,
    DeliveryError,
    PartnerDeniedError,
    PartnerRefusedError,
    PartnerSecretError,
    PartnerUnavailableError,
)
from shared.standards.retry_after import retry_after
from shared.standards.trace_context import HEADER

_SECRET_PREFIX = "whsec_"  # noqa: S105 - the prefix of every secret of Standard Webhooks
_SECRET_BYTES = range(24, 65)


@dataclass(frozen=True)
class Webhook:
    """Where to post, and the secrets to sign with: several while one is being rotated."""

    url: str
    secrets: tuple[bytes, ...] = field(repr=False)

    @classmethod
    def from_document(cls, document: Mapping[str, object]) -> Webhook:
        """Read `{"url": "https://...", "secrets": ["whsec_...", ...]}`.

        Raises `PartnerSecretError`.
        """
        secrets = document.get("secrets")
        if not isinstance(secrets, list) or not secrets:
            raise PartnerSecretError("the partner's secret has no list of `secrets`")
        return cls(_url(document.get("url")), tuple(_signing_key(secret) for secret in secrets))

    def headers(self, delivery: Delivery, timestamp: int) -> dict[str, str]:
        """Return the headers to post with. `timestamp` is in seconds since 1970.

        Source: Standard Webhooks, "Signature scheme"; the signature is over the raw bytes.
        """
        message_id = delivery.header.message_id
        signed = f"{message_id}.{timestamp}.".encode() + delivery.payload
        signatures = (hmac.digest(secret, signed, sha256) for secret in self.secrets)
        headers = {
            "Content-Type": delivery.header.content_type,
            "webhook-id": message_id,
            "webhook-timestamp": str(timestamp),
            "webhook-signature": " ".join(f"v1,{base64.b64encode(s).decode()}" for s in signatures),
        }
        return headers | ({HEADER: delivery.trace} if delivery.trace else {})


class WebhookClient:
    """Posts to webhooks. `timeout` is in seconds, for a whole exchange; `clock` since 1970."""

    def __init__(
        self,
        timeout: float,
        network: ConnectionOptions,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._timeout = aiohttp.ClientTimeout(total=timeout)
        self._network = network
        self._clock = clock
        self._session: aiohttp.ClientSession | None = None

    async def send(self, target: Webhook, delivery: Delivery) -> None:
        """Return when the partner has accepted it. Raises `DeliveryError`."""
        headers = target.headers(delivery, int(self._clock()))
        try:
            # No redirects: the secret names where payloads go, an answer does not.
            async with self._connected().post(
                target.url, data=delivery.payload, headers=headers, allow_redirects=False
            ) as answer:
                failure = error_for_status(answer.status, answer.headers)
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            raise PartnerUnavailableError(f"no answer ({type(error).__name__})") from None
        if failure:
            raise failure

    async def close(self) -> None:
        """Close the connections."""
        if self._session:
            await self._session.close()

    def _connected(self) -> aiohttp.ClientSession:
        if self._session is None:
            authorities: Any = self._network.ca_bundle
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(ssl=ssl.create_default_context(cafile=authorities)),
                timeout=self._timeout,
                cookie_jar=aiohttp.DummyCookieJar(),
            )
        return self._session


def error_for_status(status: int, headers: Mapping[str, str]) -> DeliveryError | None:
    """Return what an answer means for a message; None where it is accepted."""
    why = f"it answered {status}"
    if 200 <= status < 300:
        return None
    if status in (401, 403):
        return PartnerDeniedError(why)
    if status in (408, 425, 429) or status >= 500:
        return PartnerUnavailableError(why, retry_after=retry_after(headers))
    return PartnerRefusedError(why)


def _url(value: object) -> str:
    try:
        parts = urlsplit(value if isinstance(value, str) else "")
        valid = bool(parts.hostname) and parts.port != 0
    except ValueError:
        valid = False
    # Payloads leave the sealed message here, so TLS is not a choice; and a password in a URL would
    # end up in the error texts of whoever handles it.
    if not valid or parts.scheme != "https" or parts.username is not None:
        raise PartnerSecretError("the `url` in the partner's secret is not an https:// URL")
    return parts.geturl()


def _signing_key(value: object) -> bytes:
    text = value if isinstance(value, str) else ""
    try:
        key = base64.b64decode(text.removeprefix(_SECRET_PREFIX), validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if not text.startswith(_SECRET_PREFIX) or len(key) not in _SECRET_BYTES:
        raise PartnerSecretError(
            "a signing secret in the partner's secret is not whsec_ and base64 of 24 to 64 bytes"
        )
    return key
