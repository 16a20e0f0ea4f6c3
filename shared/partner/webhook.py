"""The partner as a webhook: signed HTTP posts (Standard Webhooks)."""

from __future__ import annotations

import asyncio
import base64
import binascii
import hmac
import re
import ssl
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any

import aiohttp
from yarl import URL

from shared.azure.network import ConnectionOptions
from shared.partner.answers import DEFAULT_FINAL, FinalStatuses, error_for_status
from shared.partner.delivery import (
    Delivery,
    DeliveryError,
    PartnerSecretError,
    PartnerUnavailableError,
)
from shared.standards.host_name import host_name_problem
from shared.telemetry import recording
from shared.telemetry.metrics import HTTP_CLIENT
from shared.telemetry.recording import Kind

_SECRET_PREFIX = "whsec_"  # noqa: S105 - the prefix of every secret of Standard Webhooks
_SECRET_BYTES = range(24, 65)
# Each adds a signature of 48 characters to one header, which servers limit to about 8 KB.
_MOST_SECRETS = 10
_AUTHORITY = re.compile(r"https://([^/?#]*)", re.IGNORECASE)
# A connection is closed where something of an answer is unread. So that is read away, where it
# takes no longer than the next message would take to connect.
UNREAD_SECONDS = 0.1
_UNREAD_BYTES = 65_536
_STRAY_PERCENT = re.compile(r"%(?![0-9A-Fa-f]{2})")


@dataclass(frozen=True)
class Webhook:
    """The URL to post to, and the secrets to sign with: several while one is being rotated."""

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
        if len(secrets) > _MOST_SECRETS:
            raise PartnerSecretError(
                f"the `secrets` in the partner's secret are more than {_MOST_SECRETS}"
            )
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
        return headers | (delivery.trace.to_headers() if delivery.trace else {})


class WebhookClient:
    """Posts to webhooks. `timeout` is in seconds, for a whole exchange; `clock` since 1970.

    `final` are the answers after which a message is not posted again.
    """

    def __init__(
        self,
        timeout: float,
        network: ConnectionOptions,
        clock: Callable[[], float] = time.time,
        final: FinalStatuses = DEFAULT_FINAL,
    ) -> None:
        self._final = final
        self._timeout = aiohttp.ClientTimeout(total=timeout)
        self._network = network
        self._clock = clock
        self._session: aiohttp.ClientSession | None = None

    async def send(self, target: Webhook, delivery: Delivery) -> None:
        """Return when the partner has accepted it.

        Raises `DeliveryError`, and `PartnerSecretError` where nobody can post to the URL.
        """
        try:
            url = URL(target.url)
            host, port = url.raw_host or "", url.port or 443
        except ValueError:
            raise _unusable_url() from None
        # Neither path nor query: many webhooks have their secret there.
        about: dict[str, str | int | float] = {
            "http.request.method": "POST",
            "server.address": host,
            "server.port": port,
        }
        with (
            recording.span("POST", Kind.CLIENT, about, parent=delivery.trace) as span,
            recording.timed(HTTP_CLIENT, about) as measured,
        ):
            status, failure = await self._post(target, delivery.in_trace(span.context), host)
            span.set("http.response.status_code", status)
            measured["http.response.status_code"] = status
            if delivery.attempts:
                span.set("http.request.resend_count", delivery.attempts)
            if failure:
                span.failed(str(status))
                measured["error.type"] = str(status)
        if failure:
            raise failure

    async def _post(
        self, target: Webhook, delivery: Delivery, host: str
    ) -> tuple[int, DeliveryError | None]:
        """Return the status of the partner's answer, and the failure that it is, if it is one."""
        headers = target.headers(delivery, int(self._clock()))
        try:
            # No redirects: the secret names where payloads go, an answer does not.
            async with self._connected().post(
                target.url,
                data=delivery.payload,
                headers=headers,
                allow_redirects=False,
                proxy=self._network.proxy_to(host),
            ) as answer:
                failure = error_for_status(answer.status, answer.headers, self._final)
                await _read_away(answer.content)
                return answer.status, failure
        except (aiohttp.InvalidURL, UnicodeError):
            # `UnicodeError` is what IDNA raises for a host name, at the look-up and not before.
            raise _unusable_url() from None
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            raise PartnerUnavailableError(f"no answer ({type(error).__name__})") from None

    async def close(self) -> None:
        """Close the connections."""
        if self._session:
            await self._session.close()

    def _connected(self) -> aiohttp.ClientSession:
        if self._session is None:
            ca_file: Any = self._network.ca_bundle
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(ssl=ssl.create_default_context(cafile=ca_file)),
                timeout=self._timeout,
                cookie_jar=aiohttp.DummyCookieJar(),
                # Nobody reads an answer's body, so none has to be unpacked.
                auto_decompress=False,
                skip_auto_headers=("Accept-Encoding",),
                # Not aiohttp's default by chance: no proxy and no password of the environment.
                trust_env=False,
            )
        return self._session


async def _read_away(content: aiohttp.StreamReader) -> None:
    """Read what is left of an answer, and forget it: its status has said all that it means."""
    left = _UNREAD_BYTES
    if content.is_eof():
        return
    with suppress(aiohttp.ClientError, OSError, TimeoutError):
        async with asyncio.timeout(UNREAD_SECONDS):
            while left > 0 and (piece := await content.readany()):
                left -= len(piece)


def _unusable_url() -> PartnerSecretError:
    return PartnerSecretError("the `url` in the partner's secret is not one that can be posted to")


def _url(value: object) -> str:
    problem = _url_problem(value)
    if problem:
        raise PartnerSecretError(f"the `url` in the partner's secret {problem}")
    return str(value)


def _url_problem(value: object) -> str | None:
    """Return why the client below could not post to a URL, or would post to another one."""
    authority = _AUTHORITY.match(value) if isinstance(value, str) else None
    if not isinstance(value, str) or not authority:
        # Payloads leave sealed storage here, so TLS is not a choice.
        return "is not an https:// URL"
    if " " in value or not value.isprintable():
        return "has a blank or a control character in it"
    if "@" in authority[1]:
        # A password in a URL would end up in error texts of whoever handles it.
        return "has a user name or a password in it: leave them out"
    try:
        # As the HTTP client reads it, which also turns an international host name into ASCII.
        url = URL(value)
        host, port = url.raw_host, url.port
    except ValueError:
        return "has a host name or a port that is not one"
    if not host:
        return "has no host name"
    if problem := host_name_problem(host):
        return f"has a host name that cannot be looked up: it {problem}"
    if not port:
        return "has a port that is not from 1 to 65535"
    if "#" in value:
        return "has a fragment (#...), which is never sent: leave it out"
    if _STRAY_PERCENT.search(value):
        return "has a % that does not begin a percent-encoded byte"
    return None


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
