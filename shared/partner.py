"""Forwarding to the partner, in the way that the partner's secret describes."""

from __future__ import annotations

import base64
import binascii
import hmac
import json
import ssl
import time
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any
from urllib.parse import urlsplit

import aiohttp

from shared.envelope import Context
from shared.network import Network
from shared.trace_context import HEADER
from shared.vault import VaultSecret

_SECRET_PREFIX = "whsec_"  # noqa: S105 - how every secret of Standard Webhooks begins
_SECRET_BYTES = range(24, 65)


class PartnerSecretError(Exception):
    """The partner's secret is not of a form that can be used; the text never repeats it."""


class DeliveryError(Exception):
    """The partner did not take a message. `status` is its HTTP status, None without an answer."""

    def __init__(self, why: str, status: int | None = None) -> None:
        super().__init__(f"the partner did not take it: {why}")
        self.status = status


@dataclass(frozen=True)
class Delivery:
    """One payload on its way to the partner."""

    context: Context
    payload: bytes = field(repr=False)
    trace: str | None = None


@dataclass(frozen=True)
class Webhook:
    """Where to post, and the secrets to sign with: several while one is being rotated."""

    url: str
    secrets: tuple[bytes, ...] = field(repr=False)

    @classmethod
    def from_secret(cls, text: str) -> Webhook:
        """Read `{"kind": "webhook", "url": ..., "secrets": ["whsec_...", ...]}`.

        Raises `PartnerSecretError`.
        """
        try:
            document = json.loads(text)
        except (ValueError, RecursionError):
            raise PartnerSecretError("the partner's secret is not a JSON document") from None
        if isinstance(document, dict) and document.get("kind") == "unset":
            raise PartnerSecretError(
                "the partner's secret still has the value that it was made with"
            )
        if not isinstance(document, dict) or document.get("kind") != "webhook":
            raise PartnerSecretError('the partner\'s secret is not of the kind "webhook"')
        secrets = document.get("secrets")
        if not isinstance(secrets, list) or not secrets:
            raise PartnerSecretError("the partner's secret has no list of `secrets`")
        return cls(_url(document.get("url")), tuple(_signing_key(secret) for secret in secrets))

    def headers(self, delivery: Delivery, timestamp: int) -> dict[str, str]:
        """Return the headers to post with. `timestamp` is in seconds since 1970.

        Source: Standard Webhooks, "Signature scheme"; the signature is over the raw bytes.
        """
        message_id = delivery.context.message_id
        signed = f"{message_id}.{timestamp}.".encode() + delivery.payload
        signatures = (hmac.digest(secret, signed, sha256) for secret in self.secrets)
        headers = {
            "Content-Type": delivery.context.content_type,
            "webhook-id": message_id,
            "webhook-timestamp": str(timestamp),
            "webhook-signature": " ".join(f"v1,{base64.b64encode(s).decode()}" for s in signatures),
        }
        return headers | ({HEADER: delivery.trace} if delivery.trace else {})


class Partner:
    """Delivers to the partner of one secret. `timeout` is in seconds, for the whole exchange."""

    def __init__(self, secret: VaultSecret, timeout: float, network: Network | None = None) -> None:
        self._secret = secret
        self._timeout = aiohttp.ClientTimeout(total=timeout)
        self._network = network or Network()
        self._session: aiohttp.ClientSession | None = None

    async def deliver(self, delivery: Delivery) -> None:
        """Return when the partner has taken it.

        Raises `DeliveryError`, `PartnerSecretError`, and `VaultError` where there is no secret.
        """
        value = await self._secret.value()
        status = await self._post(Webhook.from_secret(value), delivery)
        if status in (401, 403):
            # The partner may have rotated its secret: look once, and try only with another one.
            self._secret.forget(value)
            renewed = await self._secret.value()
            if renewed != value:
                status = await self._post(Webhook.from_secret(renewed), delivery)
        if not 200 <= status < 300:
            raise DeliveryError(f"it answered {status}", status)

    async def close(self) -> None:
        """Close the connections."""
        if self._session:
            await self._session.close()

    async def _post(self, webhook: Webhook, delivery: Delivery) -> int:
        headers = webhook.headers(delivery, int(time.time()))
        try:
            # No redirects: the secret names where payloads go, an answer does not.
            async with self._connected().post(
                webhook.url, data=delivery.payload, headers=headers, allow_redirects=False
            ) as answer:
                return answer.status
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            raise DeliveryError(f"no answer ({type(error).__name__})") from None

    def _connected(self) -> aiohttp.ClientSession:
        if self._session is None:
            authorities: Any = self._network.ca_bundle
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(ssl=ssl.create_default_context(cafile=authorities)),
                timeout=self._timeout,
                cookie_jar=aiohttp.DummyCookieJar(),
            )
        return self._session


def _url(value: object) -> str:
    try:
        parts = urlsplit(value if isinstance(value, str) else "")
        valid = bool(parts.hostname) and parts.port != 0
    except ValueError:
        valid = False
    # Payloads leave sealed storage here, so TLS is not a choice; and a password in a URL would
    # end up in error texts of whoever handles it.
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
