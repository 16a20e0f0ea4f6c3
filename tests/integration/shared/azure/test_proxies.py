"""No proxy that the environment of an app names gets anything that RELAY_PROXY does not give it.

Each app is a process of its own, because the SDKs read the environment of theirs.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from shared.azure.network import ConnectionOptions
from shared.message.protected_header import MessageHeader
from shared.partner.delivery import Delivery, PartnerUnavailableError
from shared.partner.webhook import Webhook, WebhookClient
from shared.settings.settings import APPS, AppName
from tests.tcp import serving
from tests.unit.shared.settings.test_settings import ID, environment

ROOT = Path(__file__).resolve().parents[4]
HEADER = "planted-identity-header"
PASSWORD = "planted-netrc-password"
PROGRAM = """
import asyncio, dataclasses, os
from shared.access.probes import ProbeTarget
from shared.access.probing import probe_in_app
from shared.azure.key_vault_id import KeyVaultId
from shared.settings import environment

async def run():
    (settings,) = environment.load(os.environ).values()
    clients, asked = settings.clients, []
    of = {one.name: getattr(settings, one.name) for one in dataclasses.fields(settings)}
    (identity,) = [of[name] for name in of if name == os.environ["TEST_IDENTITY"]]
    for one in of.values():
        if isinstance(one, KeyVaultId) and one.kind == "keys":
            asked.append(clients.key(one, identity, "RSA-OAEP-256").encrypt(b"key"))
        elif isinstance(one, KeyVaultId):
            asked.append(clients.secret(one, identity, 60).value())
    known = environment.inventory(os.environ)
    target = ProbeTarget(known, settings.bus_namespace, settings.network)
    asked.append(probe_in_app(target, "app", known.identities, 20))
    print(await asyncio.gather(*asked, return_exceptions=True))

asyncio.run(run())
"""
IDENTITY = {
    "sender": "encrypt_identity",
    "receiver": "decrypt_identity",
    "tracker": "database_identity",
}
CHALLENGE = (
    'Bearer authorization="https://login.microsoftonline.com/t", resource="https://vault.azure.net"'
)


@dataclass
class Proxy:
    """Records the request line and headers of whoever takes it for a proxy, and refuses."""

    url: str = ""
    heads: list[str] = field(default_factory=list)

    async def serve(self, stack: AsyncExitStack) -> None:
        port = await stack.enter_async_context(serving(self._answer))
        self.url = f"http://127.0.0.1:{port}"

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.heads.append((await reader.readuntil(b"\r\n\r\n")).decode("latin-1"))
        writer.write(b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n")
        await writer.drain()


@dataclass
class Services:
    """An identity endpoint and a vault on loopback; what came with which headers."""

    redirects_to: str = ""
    tokens: list[Mapping[str, str]] = field(default_factory=list)
    vault: list[Mapping[str, str]] = field(default_factory=list)

    def endpoint(self, _: str) -> web.Application:
        app = web.Application()
        app.router.add_get("/msi/token", self._token)
        return app

    def vaults(self, _: str) -> web.Application:
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", self._object)
        return app

    async def _token(self, request: web.Request) -> web.Response:
        self.tokens.append(dict(request.headers))
        if self.redirects_to:
            raise web.HTTPTemporaryRedirect(self.redirects_to)
        token = {"access_token": "planted-token", "expires_on": "4102444800", "resource": "x"}
        return web.json_response(token | {"token_type": "Bearer"})

    async def _object(self, request: web.Request) -> web.Response:
        self.vault.append(dict(request.headers))
        if "Authorization" not in request.headers:
            return web.Response(status=401, headers={"WWW-Authenticate": CHALLENGE})
        if self.redirects_to:
            raise web.HTTPTemporaryRedirect(self.redirects_to)
        return web.json_response({"error": {"code": "NotFound"}}, status=404)


@pytest.fixture
async def proxy(stack: AsyncExitStack) -> Proxy:
    made = Proxy()
    await made.serve(stack)
    return made


async def run_app(app: AppName, variables: Mapping[str, str]) -> str:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", PROGRAM),
        cwd=ROOT,
        env={"PATH": os.environ["PATH"], "TEST_IDENTITY": IDENTITY[app], **variables},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    output, _ = await asyncio.wait_for(process.communicate(), 60)
    assert process.returncode == 0, output.decode()
    return output.decode()


def proxies(url: str, home: Path) -> dict[str, str]:
    """Return every variable that some client takes for its proxy, and a `.netrc` for all hosts."""
    (home / ".netrc").write_text(f"default login somebody password {PASSWORD}\n")
    (home / ".netrc").chmod(0o600)
    names = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "WS_PROXY", "WSS_PROXY")
    every = {name: url for each in names for name in (each, each.lower())}
    # Does not except what an app reaches: a list that forgets loopback is the usual case.
    return every | {"NO_PROXY": "", "no_proxy": "", "HOME": str(home)}


def settings(app: AppName, vault: str, endpoint: str, ca_file: Path) -> dict[str, str]:
    changes = {
        "RELAY_CA_BUNDLE": str(ca_file),
        "RELAY_BUS_ENDPOINT": "sb://127.0.0.1:9",
        "RELAY_VERIFY_CHALLENGE": "false",
        "RELAY_ACCESS_IDENTITY_ONE": ID,
        "RELAY_ACCESS_KEY_PAYLOAD": f"{vault}keys/payload",
        "RELAY_ACCESS_SECRET_DATABASE": f"{vault}secrets/database",
        "IDENTITY_ENDPOINT": f"{endpoint}msi/token",
        "IDENTITY_HEADER": HEADER,
    }
    made = environment(app, **changes)
    where = {"RELAY_KEY_PAYLOAD": "keys/payload", "RELAY_SECRET_DATABASE_CONNECTION": "secrets/a"}
    where |= {
        "RELAY_SECRET_PARTNER_CONNECTION": "secrets/b",
        "RELAY_SECRET_PARTNER_STATE": "secrets/c",
    }
    return made | {name: vault + path for name, path in where.items() if name in made}


@pytest.mark.parametrize("app", list(APPS))
async def test_no_proxy_of_the_environment_gets_anything(
    app: AppName, proxy: Proxy, serve: Any, serve_tls: Any, ca_file: Path, tmp_path: Path
) -> None:
    services = Services()
    vault, endpoint = await serve_tls(services.vaults), await serve(services.endpoint)
    variables = settings(app, vault, endpoint, ca_file) | proxies(proxy.url, tmp_path)
    output = await run_app(app, variables)
    assert proxy.heads == [], output
    assert services.tokens, output
    assert {head["X-IDENTITY-HEADER"] for head in services.tokens} == {HEADER}
    # Nor is a password of `.netrc` sent along, here or to the vault.
    assert not any("Authorization" in head for head in services.tokens)
    authorizations = {head.get("Authorization") for head in services.vault}
    assert authorizations == {None, "Bearer planted-token"}


@pytest.mark.parametrize("app", list(APPS))
async def test_neither_an_identity_endpoint_nor_a_vault_redirects(
    app: AppName, proxy: Proxy, serve: Any, serve_tls: Any, ca_file: Path
) -> None:
    services = Services(redirects_to=f"{proxy.url}/elsewhere")
    vault = await serve_tls(services.vaults)
    await run_app(app, settings(app, vault, await serve(services.endpoint), ca_file))
    assert services.tokens
    followed = Services()
    services.redirects_to, reached = f"{proxy.url}/elsewhere", await serve(followed.endpoint)
    await run_app(app, settings(app, vault, reached, ca_file))
    assert any("Authorization" in head for head in services.vault)
    assert proxy.heads == []


@pytest.mark.parametrize("app", list(APPS))
async def test_a_vault_elsewhere_is_reached_by_the_proxy_that_is_set_and_by_no_other(
    app: AppName, proxy: Proxy, serve: Any, ca_file: Path, stack: AsyncExitStack, tmp_path: Path
) -> None:
    services, other = Services(), Proxy()
    await other.serve(stack)
    endpoint = await serve(services.endpoint)
    variables = settings(app, "https://vault.invalid/", endpoint, ca_file)
    variables |= {"RELAY_VERIFY_CHALLENGE": "true", "RELAY_PROXY": proxy.url}
    await run_app(app, variables | proxies(other.url, tmp_path))
    assert other.heads == []
    # A tunnel is asked for, and nothing of the request.
    assert {head.split("\r\n")[0] for head in proxy.heads} == {"CONNECT vault.invalid:443 HTTP/1.1"}
    assert not any(planted in "".join(proxy.heads) for planted in (HEADER, PASSWORD, "keys/"))
    # What proves access asks for its tokens first, and not by a proxy.
    assert services.tokens


async def test_a_webhook_is_reached_by_the_proxy_that_is_set_unless_it_is_on_this_machine(
    proxy: Proxy, stack: AsyncExitStack, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = Proxy()
    await other.serve(stack)
    for name, value in proxies(other.url, tmp_path).items():
        monkeypatch.setenv(name, value)
    delivery = Delivery(MessageHeader("id-1", "a/b"), b"planted payload", None)
    for network, heads in (
        (ConnectionOptions(proxy=proxy.url), ["CONNECT partner.invalid:443 HTTP/1.1"]),
        (ConnectionOptions(), []),
    ):
        proxy.heads.clear()
        client = WebhookClient(5, network)
        stack.push_async_callback(client.close)
        for url in ("https://partner.invalid/in", "https://127.0.0.1:9/in", "https://[::1]:9/in"):
            with pytest.raises(PartnerUnavailableError):
                await client.send(Webhook(url, (bytes(24),)), delivery)
        assert [head.split("\r\n")[0] for head in proxy.heads] == heads
        assert "planted" not in json.dumps(proxy.heads)
    assert other.heads == []
