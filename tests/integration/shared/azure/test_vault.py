"""Key Vault, as the functions call it: the unmodified SDKs against the local vault, over TLS."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from aiohttp import web
from aiohttp.typedefs import Handler, Middleware
from azure.identity.aio import ManagedIdentityCredential

from local.authorization.authorization import Authorization
from local.deployment.deployment import load
from local.deployment.resources import VaultSpec
from local.identity.endpoint import token_endpoint
from local.identity.tokens import TokenIssuer
from local.key_vault.store import VaultStore
from local.key_vault.vault import vault_app
from shared.azure.key_vault_id import KeyVaultId
from shared.azure.network import ConnectionOptions
from shared.azure.vault import (
    VaultDeniedError,
    VaultRefusedError,
    VaultUnavailableError,
)
from shared.azure.vault_key import VaultKey
from shared.azure.vault_secret import VaultSecret
from shared.message.envelope import DecryptionError, WrappedKey
from shared.message.payload_key import PayloadKey
from shared.message.protected_header import ALGORITHM

SNAPSHOT = Path(__file__).resolve().parents[4] / "infra" / "local.snapshot.json"
DATA_KEY = bytes(range(32))
Serve = Callable[[Callable[[str], web.Application]], Awaitable[str]]


@dataclass
class Vaults:
    """The vaults of the usual deployment, who asked them what, and what one answers instead."""

    network: ConnectionOptions
    issuer: TokenIssuer
    stores: dict[str, VaultStore] = field(default_factory=dict)
    urls: dict[str, str] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    connections: set[tuple[str, int]] = field(default_factory=set)
    instead: web.Response | None = None
    credentials: dict[str, ManagedIdentityCredential] = field(default_factory=dict)

    def key(self, identity: str, name: str = "payload", url: str | None = None) -> PayloadKey:
        key_id = KeyVaultId.parse(f"{url or self.urls['payload']}keys/{name}", "keys")
        return PayloadKey(VaultKey(key_id, ALGORITHM, self.credentials[identity], self.network))

    def secret(self, identity: str, clock: Callable[[], float], name: str = "") -> VaultSecret:
        name = name or "partner-connection"
        secret_id = KeyVaultId.parse(f"{self.urls['partner']}secrets/{name}", "secrets")
        return VaultSecret(secret_id, self.credentials[identity], 300, self.network, clock)

    def serving(
        self, spec: VaultSpec, authorization: Authorization, folder: Path
    ) -> web.Application:
        name = spec.name.removesuffix("-local")
        self.stores[name] = VaultStore(folder / name, spec)
        app = vault_app(spec, self.stores[name], self.issuer, authorization, self.urls[name])
        app.middlewares.append(self._watched())
        return app

    def _watched(self) -> Middleware:
        @web.middleware
        async def watch(request: web.Request, handler: Handler) -> web.StreamResponse:
            assert request.transport
            self.connections.add(request.transport.get_extra_info("peername"))
            if "Authorization" in request.headers:
                self.asked.append(f"{request.method} {request.path}")
                if self.instead:
                    return self.instead
            return await handler(request)

        return watch


@pytest.fixture
async def vaults(
    serve: Serve,
    serve_tls: Serve,
    ca_file: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> AsyncIterator[Vaults]:
    deployment = load(SNAPSHOT)
    found = Vaults(
        ConnectionOptions(ca_file, None, verify_challenge=False), TokenIssuer(deployment.tenant_id)
    )
    authorization = Authorization(deployment)
    for spec in deployment.vaults:

        def make(url: str, spec: VaultSpec = spec) -> web.Application:
            found.urls[spec.name.removesuffix("-local")] = url
            return found.serving(spec, authorization, tmp_path)

        await serve_tls(make)
    found.stores["partner"].set_secret("partner-connection", "first value")
    for app in deployment.apps:
        url = await serve(lambda _, app=app: token_endpoint(found.issuer, {"header": app}))  # type: ignore[misc]
        monkeypatch.setenv("IDENTITY_ENDPOINT", f"{url}msi/token")
        monkeypatch.setenv("IDENTITY_HEADER", "header")
        for identity in app.identities:
            found.credentials[identity.name.removesuffix("-local")] = ManagedIdentityCredential(
                client_id=identity.client_id
            )
    yield found
    for credential in found.credentials.values():
        await credential.close()


async def test_one_request_for_each_operation_and_no_other(vaults: Vaults) -> None:
    encrypt, decrypt = vaults.key("encrypt"), vaults.key("decrypt")
    for _ in range(3):
        wrapped = await encrypt.encrypt(DATA_KEY)
        assert await decrypt.decrypt(wrapped) == DATA_KEY
    version = wrapped.key_id.rpartition("/")[2]
    once = ["POST /keys/payload//encrypt", f"POST /keys/payload/{version}/decrypt"]
    assert vaults.asked == once * 3
    await encrypt.close()
    await decrypt.close()


async def test_a_client_keeps_its_connection(vaults: Vaults) -> None:
    now = 0.0
    encrypt, decrypt = vaults.key("encrypt"), vaults.key("decrypt")
    secret = vaults.secret("partner", lambda: now)
    for _ in range(3):
        assert await decrypt.decrypt(await encrypt.encrypt(DATA_KEY)) == DATA_KEY
        assert await secret.value() == "first value"
        now += 300
    assert vaults.asked.count("POST /keys/payload//encrypt") == 3
    assert len(vaults.connections) == 3
    for client in (encrypt, decrypt, secret):
        await client.close()


async def test_the_wrapped_key_names_its_version_and_rotation_is_no_event(vaults: Vaults) -> None:
    encrypt, decrypt = vaults.key("encrypt"), vaults.key("decrypt")
    before = await encrypt.encrypt(DATA_KEY)
    version = vaults.stores["payload"].rotate("payload")
    after = await encrypt.encrypt(DATA_KEY)
    assert after.key_id == f"{vaults.urls['payload']}keys/payload/{version}" != before.key_id
    assert await decrypt.decrypt(before) == await decrypt.decrypt(after) == DATA_KEY
    await encrypt.close()
    await decrypt.close()


async def test_the_other_operation_is_denied(vaults: Vaults) -> None:
    encrypt, decrypt = vaults.key("encrypt"), vaults.key("decrypt")
    wrapped = await encrypt.encrypt(DATA_KEY)
    for call in (encrypt.decrypt(wrapped), decrypt.encrypt(DATA_KEY)):
        with pytest.raises(VaultDeniedError) as caught:
            await call
        assert caught.value.status == 403
        assert caught.value.request_id
        assert str(caught.value).endswith(f": status 403, request {caught.value.request_id}")
    await encrypt.close()
    await decrypt.close()


@pytest.mark.parametrize(
    "elsewhere",
    [
        "https://127.0.0.1:1/keys/payload/{version}",
        "{vault}keys/other/{version}",
        "{vault}secrets/payload/{version}",
        "{vault}keys/payload/",
        "",
    ],
)
async def test_a_key_that_is_elsewhere_is_refused_before_anything_is_asked(
    vaults: Vaults, elsewhere: str
) -> None:
    decrypt = vaults.key("decrypt")
    key_id = elsewhere.format(vault=vaults.urls["payload"], version="0" * 32)
    with pytest.raises(DecryptionError) as caught:
        await decrypt.decrypt(WrappedKey(key_id, b"ciphertext"))
    assert caught.value.fault == "wrong-key"
    assert vaults.asked == []
    await decrypt.close()


@pytest.mark.parametrize("ciphertext", [b"", b"short", bytes(384)])
async def test_what_the_vault_cannot_decrypt_is_undecryptable(
    vaults: Vaults, ciphertext: bytes
) -> None:
    decrypt = vaults.key("decrypt")
    current = f"{vaults.urls['payload']}keys/payload/"
    (version,) = vaults.stores["payload"].key_versions("payload")
    for key_id in (current + version, current + "0" * 32):
        with pytest.raises(DecryptionError) as caught:
            await decrypt.decrypt(WrappedKey(key_id, ciphertext))
        assert caught.value.fault == "wrong-key"
    await decrypt.close()


@pytest.mark.parametrize(
    ("status", "asks", "after"),
    [
        (429, "7", 7.0),
        (429, "99999", 3600.0),
        (429, None, None),
        (500, None, None),
        (503, "soon", None),
    ],
)
async def test_a_vault_that_throttles_or_fails_is_asked_once(
    vaults: Vaults, status: int, asks: str | None, after: float | None
) -> None:
    encrypt = vaults.key("encrypt")
    headers = {"Retry-After": asks} if asks else {}
    vaults.instead = web.json_response({"error": {}}, status=status, headers=headers)
    with pytest.raises(VaultUnavailableError) as caught:
        await encrypt.encrypt(DATA_KEY)
    assert (caught.value.status, caught.value.retry_after) == (status, after)
    assert len(vaults.asked) == 1
    await encrypt.close()


@pytest.mark.parametrize("body", ["", "[]", '{"kid": "x"}', '{"value": "AA"}', "\ufffd"])
async def test_an_answer_that_is_not_the_vaults_is_told(vaults: Vaults, body: str) -> None:
    encrypt = vaults.key("encrypt")
    vaults.instead = web.Response(text=body, content_type="application/json")
    with pytest.raises(VaultUnavailableError, match=r"not Key Vault's|no answer"):
        await encrypt.encrypt(DATA_KEY)
    await encrypt.close()


async def test_an_answer_for_another_key_is_refused(vaults: Vaults) -> None:
    encrypt = vaults.key("encrypt")
    other = f"https://elsewhere.example/keys/payload/{'0' * 32}"
    vaults.instead = web.json_response({"kid": other, "value": "AAAA"})
    with pytest.raises(VaultRefusedError, match="another key"):
        await encrypt.encrypt(DATA_KEY)
    await encrypt.close()


async def test_a_vault_that_is_not_there_is_unavailable(vaults: Vaults) -> None:
    key = vaults.key("encrypt", url="https://127.0.0.1:9/")
    with pytest.raises(VaultUnavailableError):
        await key.encrypt(DATA_KEY)
    await key.close()


async def test_an_identity_that_gets_no_token_is_denied(vaults: Vaults) -> None:
    key = vaults.key("encrypt")
    nobody = ManagedIdentityCredential(client_id="00000000-0000-0000-0000-000000000000")
    denied = VaultKey(key._key.id, ALGORITHM, nobody, vaults.network)
    with pytest.raises(VaultDeniedError) as caught:
        await denied.encrypt(DATA_KEY)
    # The endpoint of identities names the request as well, in its own way.
    assert caught.value.request_id
    for one in (key, denied, nobody):
        await one.close()


async def test_an_odd_vault_cannot_write_into_the_log(vaults: Vaults) -> None:
    encrypt = vaults.key("encrypt")
    odd = "all is well"
    vaults.instead = web.json_response({}, status=403, headers={"x-ms-request-id": odd})
    with pytest.raises(VaultDeniedError) as caught:
        await encrypt.encrypt(DATA_KEY)
    assert caught.value.request_id is None
    assert str(caught.value).endswith(": status 403")
    await encrypt.close()


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


async def test_a_secret_is_read_once_until_its_time_is_over(vaults: Vaults) -> None:
    clock = Clock()
    secret = vaults.secret("partner", clock)
    assert await asyncio.gather(*(secret.value() for _ in range(50))) == ["first value"] * 50
    vaults.stores["partner"].set_secret("partner-connection", "second value")
    clock.now = 299
    assert await secret.value() == "first value"
    clock.now = 300
    assert await secret.value() == "second value"
    assert len(vaults.asked) == 2
    await secret.close()


async def test_white_space_around_a_secret_is_not_part_of_it(vaults: Vaults) -> None:
    secret = vaults.secret("partner", Clock())
    vaults.stores["partner"].set_secret("partner-connection", "\n a value \r\n")
    assert await secret.value() == "a value"
    await secret.close()


async def test_a_secret_that_no_longer_serves_is_read_anew_but_not_all_the_time(
    vaults: Vaults,
) -> None:
    clock = Clock()
    secret = vaults.secret("partner", clock)
    assert await secret.value() == "first value"
    vaults.stores["partner"].set_secret("partner-connection", "second value")
    clock.now = 4
    secret.forget("first value")
    assert await secret.value() == "first value"
    clock.now = 5
    secret.forget("another value")
    assert await secret.value() == "first value"
    secret.forget("first value")
    assert await secret.value() == "second value"
    await secret.close()


async def test_a_secret_of_others_is_denied_and_one_that_is_not_there_refused(
    vaults: Vaults,
) -> None:
    denied = vaults.secret("decrypt", Clock())
    with pytest.raises(VaultDeniedError, match=r": status 403, request [0-9a-f-]{36}$"):
        await denied.value()
    await denied.close()
    assert vaults.asked == ["GET /secrets/partner-connection/"]
