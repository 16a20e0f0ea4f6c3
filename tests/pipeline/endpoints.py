"""The endpoints of a local cloud, and clients under each of its identities."""

from __future__ import annotations

import json
import os
import ssl
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
from azure.identity.aio import ManagedIdentityCredential
from azure.keyvault.keys.aio import KeyClient
from azure.servicebus import TransportType
from azure.servicebus.aio import ServiceBusClient
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from local.host.keys import AppKeys

APPS = ("sender", "receiver", "tracker")


@dataclass(frozen=True)
class Endpoints:
    """A cloud that is up, from outside: its folder, its endpoints, and clients of them."""

    folder: Path
    endpoints: Mapping[str, Any]
    snapshot: Path
    beside: dict[str, str] = field(default_factory=dict)  # more processes of an app, by their URL

    @property
    def ca(self) -> str:
        return str(self.endpoints["ca"])

    @property
    def authorities(self) -> bytes:
        return Path(self.ca).read_bytes()

    @property
    def tls(self) -> ssl.SSLContext:
        return ssl.create_default_context(cafile=self.ca)

    def session(self, **options: Any) -> aiohttp.ClientSession:
        """Give a session that sends the key that each app, and the partner, asks for."""
        return aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(ssl=self.tls, limit=50),
            middlewares=[self._with_key],
            **options,
        )

    def keys(self, app: str) -> AppKeys:
        """Return the access keys of an app."""
        return AppKeys.read(self.folder / f"app-{app}.key")

    async def _with_key(
        self, request: aiohttp.ClientRequest, send: aiohttp.ClientHandlerType
    ) -> aiohttp.ClientResponse:
        origin = str(request.url.origin())
        apps = {url: app for app, url in self.endpoints.items() if app in APPS} | self.beside
        if app := apps.get(origin):
            keys = self.keys(app)
            key = keys.master if request.url.path == "/api/access" else keys.host
            request.headers.setdefault("x-functions-key", key)
        elif origin == self.endpoints["partner"] and request.method == "GET":
            key = (self.folder / "partner.key").read_text()
            request.headers.setdefault("Authorization", f"Bearer {key}")
        return await send(request)

    async def control(self, method: str, path: str, body: str | None = None) -> Any:
        key = (self.folder / "control.key").read_text()
        headers = {"Authorization": f"Bearer {key}"}
        url = f"{self.endpoints['control']}{path}"
        async with (
            self.session() as session,
            session.request(method, url, headers=headers, data=body) as answer,
        ):
            assert answer.status == 200, await answer.text()
            return await answer.json()

    async def fault(self, **fault: object) -> int:
        """Make something go wrong, as `POST /faults` of the control endpoint describes it."""
        return int((await self.control("POST", "/faults", json.dumps(fault)))["fault"])

    async def heal(self) -> None:
        await self.control("DELETE", "/faults")

    async def deploy(self, snapshot: Mapping[str, Any]) -> None:
        """Let another deployment take effect."""
        await self.control("PUT", "/deployment", json.dumps(snapshot))

    async def environment(self, app: str) -> dict[str, str]:
        """Return what makes any program that app, or that operator."""
        operators = json.loads(self.snapshot.read_text())["outputs"]["operators"]
        kind = "operators" if app in operators else "apps"
        found: dict[str, str] = await self.control("GET", f"/{kind}/{app}/environment")
        return found

    async def credential(self, app: str, identity: str) -> ManagedIdentityCredential:
        """Return the credential that code in `app` would make for one of its identities.

        An operator has but one, which needs no name.
        """
        environment = await self.environment(app)
        names = ("IDENTITY_ENDPOINT", "IDENTITY_HEADER")
        os.environ.update({name: environment[name] for name in names})
        try:
            return ManagedIdentityCredential(
                client_id=environment.get(f"RELAY_ACCESS_IDENTITY_{identity.upper()}")
            )
        finally:
            for name in names:
                del os.environ[name]

    @asynccontextmanager
    async def payload_key(self, app: str, identity: str) -> AsyncIterator[KeyClient]:
        """Give the client of the payload key that code under one of an app's identities makes."""
        async with (
            await self.credential(app, identity) as credential,
            KeyClient(
                self.endpoints["vaults"][self.vault("payload")],
                credential,
                verify_challenge_resource=False,
                connection_verify=self.ca,
            ) as client,
        ):
            yield client

    @asynccontextmanager
    async def bus(self, app: str, identity: str) -> AsyncIterator[ServiceBusClient]:
        """Give the client that code in `app` would make for one of its identities."""
        environment = await self.environment(app)
        async with (
            await self.credential(app, identity) as credential,
            ServiceBusClient(
                environment["RELAY_BUS__fullyQualifiedNamespace"],
                credential,
                custom_endpoint_address=environment["RELAY_BUS_ENDPOINT"],
                connection_verify=self.ca,
                transport_type=TransportType.Amqp,
                retry_total=0,
            ) as client,
        ):
            yield client

    async def versions(self, key: str) -> list[str]:
        """Return the versions of a key, oldest first."""
        keys = (await self.control("GET", "/status"))["keys"]
        (versions,) = (v for path, v in keys.items() if path.endswith(f"/{key}"))
        return list(versions)

    def vault(self, name: str) -> str:
        """Return the deployed name of a vault that access.json calls `name`."""
        (deployed,) = (v for v in self.endpoints["vaults"] if v.startswith(f"{name}-"))
        return str(deployed)

    def private_key(self, version: str) -> rsa.RSAPrivateKey:
        """Return a version of the payload key from the vault's folder."""
        (path,) = (self.folder / "vaults").glob(f"*/{version}.pem")
        key = load_pem_private_key(path.read_bytes(), None)
        assert isinstance(key, rsa.RSAPrivateKey)
        return key
