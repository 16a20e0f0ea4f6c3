"""How a trigger signs in at the bus: by an identity of its app, or by a connection string."""

from __future__ import annotations

import asyncio
import logging
import ssl
import time
from collections.abc import Mapping
from urllib.parse import urlsplit

import aiohttp

from local.bus.amqp.values import Value
from local.host.errors import AppRefusedError
from local.host.service_bus.connection import Address, BusLinkError
from local.host.service_bus.requests import RequestLink
from local.host.settings import IdentityConnection, KeyConnection, Settings

_RESOURCE = "https://servicebus.azure.net/"
_PORT = 5671
_EMULATOR_PORT = 5672
_TOKEN_SECONDS = 30.0
_SHORTEST_PAUSE = 1.0
_log = logging.getLogger("Host.ServiceBus")


class SignInError(Exception):
    """There is no token of the identity."""


def address_of(connection: IdentityConnection | KeyConnection, settings: Settings) -> Address:
    """Return where the bus of a connection is. Raises AppRefusedError."""
    if isinstance(connection, KeyConnection):
        parts = _parts(connection.connection_string)
        url = urlsplit(parts.get("endpoint", ""))
        is_clear = parts.get("usedevelopmentemulator", "").lower() == "true"
        if not url.hostname:
            raise AppRefusedError("the connection string has no Endpoint=sb://...")
        if is_clear:
            return Address(url.hostname, url.port or _EMULATOR_PORT, None)
        return Address(url.hostname, url.port or _PORT, ssl.create_default_context())
    authorities = settings.get("RELAY_CA_BUNDLE")
    url = urlsplit(settings.get("RELAY_BUS_ENDPOINT") or f"sb://{connection.namespace}")
    tls = ssl.create_default_context(cafile=authorities)
    return Address(url.hostname or connection.namespace, url.port or _PORT, tls)


def name_and_key_of(connection: IdentityConnection | KeyConnection) -> tuple[str, str] | None:
    """Return the rule's name and key of a connection string; None for an identity."""
    if not isinstance(connection, KeyConnection):
        return None
    parts = _parts(connection.connection_string)
    try:
        return parts["sharedaccesskeyname"], parts["sharedaccesskey"]
    except KeyError as missing:
        raise AppRefusedError(f"the connection string has no {missing}") from None


def _parts(connection_string: str) -> Mapping[str, str]:
    pairs = (part.partition("=") for part in connection_string.split(";"))
    return {name.strip().lower(): value.strip() for name, _, value in pairs}


class TokenKeeper:
    """Keeps a token of an identity on a connection, and puts the next one before it expires."""

    def __init__(
        self, connection: IdentityConnection, settings: Settings, cbs: RequestLink, queue: str
    ) -> None:
        self._identity = connection
        self._settings = settings
        self._cbs = cbs
        self._audience = f"sb://{connection.namespace}/{queue}"

    async def put(self) -> float:
        """Put a token; return the seconds that it lasts. Raises SignInError and BusLinkError."""
        token, expires_at = await self._token()
        properties: dict[Value, Value] = {"name": self._audience, "type": "jwt"}
        await self._cbs.request("put-token", properties, token)
        return max(0.0, expires_at - time.time())

    async def keep(self, seconds: float) -> None:
        """Put the next token whenever half of the time of one is over, for ever."""
        while True:
            await asyncio.sleep(max(_SHORTEST_PAUSE, seconds / 2))
            try:
                seconds = await self.put()
            except (SignInError, BusLinkError, TimeoutError) as error:
                # The link lasts as long as the token before it.
                _log.warning("no new token for %s yet: %s", self._audience, error)
                seconds = 2 * _SHORTEST_PAUSE

    async def _token(self) -> tuple[str, float]:
        """Ask the app's own endpoint, as App Service has it ("REST endpoint reference")."""
        endpoint = self._settings.get("IDENTITY_ENDPOINT")
        header = self._settings.get("IDENTITY_HEADER")
        if not endpoint or not header:
            raise SignInError("there are no settings IDENTITY_ENDPOINT and IDENTITY_HEADER")
        asked = {"api-version": "2019-08-01", "resource": _RESOURCE}
        if self._identity.client_id:
            asked["client_id"] = self._identity.client_id
        try:
            async with (
                aiohttp.ClientSession(
                    timeout=aiohttp.ClientTimeout(_TOKEN_SECONDS),
                    headers={"X-IDENTITY-HEADER": header},
                ) as session,
                session.get(endpoint, params=asked) as answer,
            ):
                if answer.status != 200:
                    raise SignInError(f"no token of the identity: status {answer.status}")
                given = await answer.json(content_type=None)
            return str(given["access_token"]), float(given["expires_on"])
        except (aiohttp.ClientError, TimeoutError, ValueError, KeyError, TypeError) as error:
            raise SignInError(f"no token of the identity: {type(error).__name__}") from None
