"""Requests to what a private authority has certified, by connections that are kept."""

from __future__ import annotations

import ssl
from pathlib import Path
from typing import Any

import aiohttp
from azure.core.pipeline.transport import AioHttpTransport


class PrivateTransport(AioHttpTransport):  # type: ignore[misc] # the SDK loads it by name
    """A transport of the SDK that trusts the authorities of one file alone.

    Given the file as `connection_verify`, the SDK makes a TLS context for each request
    (`AioHttpTransport._build_ssl_config`), and aiohttp shares connections by context: each request
    would open a connection of its own. `options` are those of `AioHttpTransport`.
    """

    def __init__(self, ca_file: Path, **options: Any) -> None:
        super().__init__(use_env_settings=False, **options)
        self._ca_file: Path | None = ca_file

    async def open(self) -> None:
        """Open the session, at the first request: it belongs to the loop that runs then."""
        if self._ca_file:
            tls = ssl.create_default_context(cafile=self._ca_file)
            self._ca_file = None  # once: what was closed stays closed
            # As the SDK makes it, but for the authorities.
            self.session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(ssl=tls),
                cookie_jar=aiohttp.DummyCookieJar(),
                auto_decompress=False,
                trust_env=False,
            )
        await super().open()
