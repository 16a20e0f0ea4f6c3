from __future__ import annotations

import asyncio
import json
import logging
import shutil
import ssl
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any, Literal

import pytest
from aiohttp import ClientSession, TCPConnector, web
from azure.core.exceptions import (
    ClientAuthenticationError,
    HttpResponseError,
    ResourceNotFoundError,
)
from azure.core.rest import HttpRequest
from azure.identity import ManagedIdentityCredential as SyncManagedIdentityCredential
from azure.identity.aio import ManagedIdentityCredential
from azure.keyvault.keys import KeyClient as SyncKeyClient
from azure.keyvault.keys.aio import KeyClient
from azure.keyvault.keys.crypto import EncryptionAlgorithm, KeyWrapAlgorithm
from azure.keyvault.keys.crypto.aio import CryptographyClient
from azure.keyvault.secrets import SecretClient as SyncSecretClient
from azure.keyvault.secrets.aio import SecretClient

from local.authorization.authorization import Authorization
from local.deployment.resources import (
    AccessPolicy,
    AppSpec,
    Deployment,
    Identity,
    KeySpec,
    RoleAssignment,
    RoleDefinition,
    SecretSpec,
    VaultSpec,
)
from local.identity.endpoint import token_endpoint
from local.identity.tokens import TokenIssuer
from local.key_vault.base64url import from_base64url, to_base64url
from local.key_vault.store import VaultStore
from local.key_vault.vault import vault_app

TENANT = "00000000-0000-4000-8000-000000000002"
GROUP = "/subscriptions/00000000-0000-4000-8000-000000000001/resourceGroups/Group"
VAULT = f"{GROUP}/providers/Microsoft.KeyVault/vaults/payload-local"
AUDIENCE = "https://vault.azure.net"
PROPAGATION = (
    "If role assignments, deny assignments or role definitions were changed recently, "
    "please observe propagation time."
)
HEADER = "the-apps-own-header"
ALGORITHM = "RSA-OAEP-256"
VALUE = '{"kind": "webhook"}'

Model = Literal["rbac", "accessPolicies"]
Serve = Callable[[Callable[[str], web.Application]], Awaitable[str]]

# name -> data actions at the object, permissions for keys, permissions for secrets
KEYS, SECRETS = "Microsoft.KeyVault/vaults/keys", "Microsoft.KeyVault/vaults/secrets"
POLICIES = "Microsoft.KeyVault/vaults/keyrotationpolicies/*"
GRANTS: Mapping[str, tuple[str, tuple[str, ...], tuple[str, ...], tuple[str, ...]]] = {
    "encrypt": ("/keys/payload", (f"{KEYS}/encrypt/action",), ("encrypt",), ()),
    "decrypt": ("/keys/payload", (f"{KEYS}/decrypt/action",), ("decrypt",), ()),
    "get": ("/keys/payload", (f"{KEYS}/read",), ("get",), ()),
    "list": ("", (f"{KEYS}/read", f"{SECRETS}/readMetadata/action"), ("list",), ("list",)),
    "wrap": ("/keys/payload", (f"{KEYS}/wrap/action",), ("wrapKey",), ()),
    "unwrap": ("/keys/payload", (f"{KEYS}/unwrap/action",), ("unwrapKey",), ()),
    "rotate": ("/keys/payload", (f"{KEYS}/rotate/action",), ("rotate",), ()),
    "update": ("/keys/payload", (f"{KEYS}/update/action",), ("update",), ()),
    "read_secret": ("/secrets/partner", (f"{SECRETS}/getSecret/action",), (), ("get",)),
    "set_secret": ("/secrets/partner", (f"{SECRETS}/setSecret/action",), (), ("set",)),
    "owner": ("", (f"{KEYS}/*", POLICIES, f"{SECRETS}/*"), ("all",), ("all",)),
    "nobody": ("/keys/pay", (f"{KEYS}/*",), (), ()),
}


def identity(name: str) -> Identity:
    return Identity(f"{GROUP}/identities/{name}", name, f"oid-{name}", f"app-{name}")


def vault_spec(model: Model) -> VaultSpec:
    policies = tuple(
        AccessPolicy(f"oid-{name}", frozenset(keys), frozenset(secrets))
        for name, (_, _, keys, secrets) in GRANTS.items()
    )
    operations = ("encrypt", "decrypt", "wrapKey", "unwrapKey")
    return VaultSpec(
        VAULT,
        "payload-local",
        "westeurope",
        TENANT,
        uses_rbac=model == "rbac",
        policies=policies if model == "accessPolicies" else (),
        keys=(
            KeySpec(f"{VAULT}/keys/payload", "payload", "RSA", 2048, operations),
            KeySpec(f"{VAULT}/keys/sealed", "sealed", "RSA", 2048, ("encrypt",)),
        ),
        secrets=(SecretSpec(f"{VAULT}/secrets/partner", "partner", "application/json"),),
    )


def deployment(model: Model) -> Deployment:
    roles = tuple(
        RoleDefinition(f"{GROUP}/roles/{name}", name, actions, ())
        for name, (_, actions, _, _) in GRANTS.items()
    )
    assignments = tuple(
        RoleAssignment(f"/a/{name}", f"{VAULT}{scope}", f"{GROUP}/roles/{name}", f"oid-{name}")
        for name, (scope, _, _, _) in GRANTS.items()
    )
    return Deployment(TENANT, (), (vault_spec(model),), (), (), roles, assignments, ())


@pytest.fixture(scope="session")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of a vault with keys and a secret, to be copied."""
    folder = tmp_path_factory.mktemp("filled") / "vault"
    VaultStore(folder, vault_spec("rbac")).set_secret("partner", VALUE, "application/json")
    return folder


Response = tuple[int, dict[str, Any], Mapping[str, str]]


@dataclass
class Vault:
    url: str
    store: VaultStore
    issuer: TokenIssuer
    session: ClientSession
    ca_file: Path
    # What arrived: (method, path, with a token or without one).
    arrived: list[tuple[str, str, bool]] = field(default_factory=list)

    async def ask(
        self,
        who: str | None,
        method: str,
        path: str,
        body: object = None,
        token: str | None = None,
        query: str = "?api-version=2025-07-01",
    ) -> Response:
        if who is not None:
            token = self.issuer.issue(identity(who), AUDIENCE).value
        headers = {} if token is None else {"Authorization": f"Bearer {token}"}
        data = body if isinstance(body, bytes) else None if body is None else json.dumps(body)
        async with self.session.request(
            method, f"{self.url}{path}{query}", data=data, headers=headers
        ) as response:
            return response.status, await response.json(), response.headers

    def options(self) -> dict[str, Any]:
        return {"verify_challenge_resource": False, "connection_verify": str(self.ca_file)}

    @asynccontextmanager
    async def keys(self, who: str) -> AsyncIterator[KeyClient]:
        async with (
            ManagedIdentityCredential(client_id=f"app-{who}") as credential,
            KeyClient(self.url, credential, **self.options()) as client,
        ):
            yield client

    @asynccontextmanager
    async def secrets(self, who: str) -> AsyncIterator[SecretClient]:
        async with (
            ManagedIdentityCredential(client_id=f"app-{who}") as credential,
            SecretClient(self.url, credential, **self.options()) as client,
        ):
            yield client

    @asynccontextmanager
    async def crypto(self, who: str, key_id: str) -> AsyncIterator[CryptographyClient]:
        async with (
            ManagedIdentityCredential(client_id=f"app-{who}") as credential,
            CryptographyClient(key_id, credential, **self.options()) as client,
        ):
            yield client

    def authenticated(self) -> Counter[tuple[str, str]]:
        return Counter((method, path) for method, path, token in self.arrived if token)


Start = Callable[[Model], Awaitable[Vault]]


@pytest.fixture
async def start(
    serve: Serve,
    serve_tls: Serve,
    stack: AsyncExitStack,
    filled: Path,
    ca_file: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Start:
    async def start_vault(model: Model) -> Vault:
        folder = tmp_path / "vault"
        shutil.copytree(filled, folder)
        issuer = TokenIssuer(TENANT)
        store = VaultStore(folder, vault_spec(model))
        connector = TCPConnector(ssl=ssl.create_default_context(cafile=ca_file))
        session = await stack.enter_async_context(ClientSession(connector=connector))
        vault = Vault("", store, issuer, session, ca_file)
        authorization = Authorization(deployment(model))

        @web.middleware
        async def note(
            request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
        ) -> web.StreamResponse:
            with_token = "Authorization" in request.headers
            vault.arrived.append((request.method, request.path, with_token))
            return await handler(request)

        def make(url: str) -> web.Application:
            app = vault_app(vault_spec(model), store, issuer, authorization, url)
            app.middlewares.append(note)
            return app

        app = AppSpec("/sites/x", "x", "x", tuple(map(identity, GRANTS)), None, {})
        tokens = await serve(lambda _: token_endpoint(issuer, {HEADER: app}))
        monkeypatch.setenv("IDENTITY_ENDPOINT", f"{tokens}msi/token")
        monkeypatch.setenv("IDENTITY_HEADER", HEADER)
        vault.url = (await serve_tls(make)).rstrip("/")
        return vault

    return start_vault


@pytest.fixture
async def vault(start: Start) -> Vault:
    return await start("rbac")


MODELS: list[Model] = ["rbac", "accessPolicies"]


def encrypt_body(value: bytes = b"data key") -> dict[str, str]:
    return {"alg": ALGORITHM, "value": to_base64url(value)}


# Authentication


@pytest.mark.parametrize("path", ["/keys/payload//encrypt", "/keys", "/nothing", "/secrets/none"])
async def test_a_request_without_a_token_is_challenged(vault: Vault, path: str) -> None:
    status, body, headers = await vault.ask(None, "POST", path)
    assert status == 401
    assert body["error"]["code"] == "Unauthorized"
    assert body["error"]["message"].startswith("AKV10000")
    assert headers["WWW-Authenticate"] == (
        f'Bearer authorization="https://login.microsoftonline.com/{TENANT}", '
        'resource="https://vault.azure.net"'
    )
    assert headers["x-ms-request-id"]


async def test_only_valid_tokens_of_the_issuer_for_vaults_are_accepted(
    vault: Vault,
) -> None:
    owner = identity("owner")
    expired = TokenIssuer(TENANT, timedelta(seconds=-5))
    expired._key = vault.issuer._key
    for token, word in (
        ("", "AKV10000"),
        ("x", "BearerReadAccessTokenFailed"),
        ("a.b.c", "BearerReadAccessTokenFailed"),
        (vault.issuer.issue(owner, "https://servicebus.azure.net").value, "AKV10022"),
        (TokenIssuer(TENANT).issue(owner, AUDIENCE).value, "AKV10046"),
        (expired.issue(owner, AUDIENCE).value, "TokenExpired"),
    ):
        status, body, headers = await vault.ask(None, "GET", "/keys", token=token)
        assert (status, word in body["error"]["message"]) == (401, True)
        assert "WWW-Authenticate" in headers
        assert not token or token not in json.dumps(body)


async def test_other_schemes_are_challenged(vault: Vault) -> None:
    for header in ("Basic eDp5", "Bearer", "Bearer ", "bearer\tx"):
        async with vault.session.get(
            f"{vault.url}/keys?api-version=7.4", headers={"Authorization": header}
        ) as response:
            assert response.status == 401


# Authorization


def requests(sealed: Mapping[str, str]) -> dict[str, tuple[str, str, object]]:
    # To be opened by version, because whoever may rotate has done so by then.
    version = sealed["kid"].rpartition("/")[2]
    open_it = {"alg": ALGORITHM, "value": sealed["value"]}
    return {
        "encrypt": ("POST", "/keys/payload//encrypt", encrypt_body()),
        "decrypt": ("POST", f"/keys/payload/{version}/decrypt", open_it),
        "get": ("GET", "/keys/payload", None),
        "list": ("GET", "/keys", None),
        "wrap": ("POST", "/keys/payload//wrapKey", encrypt_body()),
        "unwrap": ("POST", f"/keys/payload/{version}/unwrapKey", open_it),
        "rotate": ("POST", "/keys/payload/rotate", {}),
        "update": ("PATCH", f"/keys/payload/{version}", {"attributes": {"enabled": True}}),
        "read_secret": ("GET", "/secrets/partner", None),
        "set_secret": ("PUT", "/secrets/partner", {"value": "new"}),
        "list_secrets": ("GET", "/secrets", None),
    }


@pytest.mark.parametrize("model", MODELS)
async def test_each_may_do_what_it_was_given_and_nothing_else(start: Start, model: Model) -> None:
    vault = await start(model)
    _, sealed, _ = await vault.ask("owner", "POST", "/keys/payload//encrypt", encrypt_body())
    inner = "ForbiddenByRbac" if model == "rbac" else "ForbiddenByPolicy"
    for who in GRANTS:
        allowed = {who, "list_secrets"} if who == "list" else {who}
        # In RBAC, reading keys at the vault is reading each of them, too.
        allowed |= {"get"} if (who, model) == ("list", "rbac") else set()
        for name, (method, path, body) in requests(sealed).items():
            status, answer, _ = await vault.ask(who, method, path, body)
            expected = 200 if who == "owner" or name in allowed else 403
            assert (who, name, status) == (who, name, expected)
            if expected == 403:
                assert answer["error"]["code"] == "Forbidden"
                assert answer["error"]["innererror"] == {"code": inner}


async def test_a_refusal_by_role_is_worded_as_azures(vault: Vault) -> None:
    _, body, _ = await vault.ask("encrypt", "POST", "/keys/payload//decrypt", encrypt_body())
    assert body["error"]["message"].split("\r\n") == [
        "Caller is not authorized to perform action on resource.",
        PROPAGATION,
        f"Caller: appid=app-encrypt;oid=oid-encrypt;iss=https://sts.windows.net/{TENANT}/",
        "Action: 'Microsoft.KeyVault/vaults/keys/decrypt/action'",
        f"Resource: '{VAULT.lower()}/keys/payload'",
        "Assignment: (not found)",
        "DenyAssignmentId: null",
        "DecisionReason: null ",
        "Vault: payload-local;location=westeurope",
        "",
    ]


async def test_a_refusal_by_policy_is_worded_as_azures(start: Start) -> None:
    vault = await start("accessPolicies")
    _, body, _ = await vault.ask("encrypt", "POST", "/keys/payload//unwrapKey", encrypt_body())
    assert body["error"]["message"] == (
        f"The user, group or application 'appid=app-encrypt;oid=oid-encrypt;"
        f"iss=https://sts.windows.net/{TENANT}/' does not have keys unwrapKey permission on key "
        "vault 'payload-local;location=westeurope'. For help resolving this issue, please see "
        "https://go.microsoft.com/fwlink/?linkid=2125287"
    )


@pytest.mark.parametrize(
    ("method", "path", "code"),
    [
        ("GET", "/keys/none", "KeyNotFound"),
        ("GET", f"/keys/payload/{'0' * 32}", "KeyNotFound"),
        ("GET", "/keys/none/rotationpolicy", "KeyNotFound"),
        ("DELETE", "/keys/none", "KeyNotFound"),
        ("POST", "/keys/none/backup", "KeyNotFound"),
        ("POST", "/keys/none//encrypt", "KeyNotFound"),
        ("POST", f"/keys/payload/{'0' * 32}/decrypt", "KeyNotFound"),
        ("POST", "/keys/none/rotate", "KeyNotFound"),
        ("PATCH", f"/keys/payload/{'0' * 32}", "KeyNotFound"),
        ("GET", "/secrets/none", "SecretNotFound"),
        ("GET", f"/secrets/partner/{'0' * 32}", "SecretNotFound"),
        ("DELETE", "/secrets/none", "SecretNotFound"),
    ],
)
async def test_only_who_may_use_an_object_learns_whether_it_exists(
    vault: Vault, method: str, path: str, code: str
) -> None:
    status, body, _ = await vault.ask("owner", method, path, encrypt_body())
    assert (status, body["error"]["code"]) == (404, code)
    assert "was not found in this key vault" in body["error"]["message"]
    status, body, _ = await vault.ask("nobody", method, path, encrypt_body())
    assert (status, body["error"]["innererror"]["code"]) == (403, "ForbiddenByRbac")


async def test_a_key_does_only_what_it_is_for(vault: Vault) -> None:
    status, body, _ = await vault.ask("owner", "POST", "/keys/sealed//decrypt", encrypt_body())
    assert (status, body["error"]["code"]) == (403, "Forbidden")
    assert body["error"]["innererror"] == {"code": "KeyOperationForbidden"}
    assert body["error"]["message"] == "Operation decrypt is not permitted on this key."


async def test_a_changed_deployment_counts_at_once(
    serve_tls: Serve, stack: AsyncExitStack, filled: Path, ca_file: Path, tmp_path: Path
) -> None:
    shutil.copytree(filled, tmp_path / "vault")
    issuer, before = TokenIssuer(TENANT), deployment("rbac")
    store = VaultStore(tmp_path / "vault", before.vaults[0])
    authorization = Authorization(before)
    url = await serve_tls(lambda u: vault_app(before.vaults[0], store, issuer, authorization, u))
    connector = TCPConnector(ssl=ssl.create_default_context(cafile=ca_file))
    session = await stack.enter_async_context(ClientSession(connector=connector))
    vault = Vault(url.rstrip("/"), store, issuer, session, ca_file)
    assert (await vault.ask("get", "GET", "/keys/payload"))[0] == 200
    authorization.replace(deployment("accessPolicies"))
    assert (await vault.ask("nobody", "GET", "/keys/payload"))[0] == 403


# Keys and secrets


async def test_encrypt_and_decrypt_name_the_version_they_used(vault: Vault) -> None:
    (version,) = vault.store.key_versions("payload")
    status, sealed, headers = await vault.ask(
        "encrypt", "POST", "/keys/payload//encrypt", encrypt_body()
    )
    assert status == 200
    assert sealed["kid"] == f"{vault.url}/keys/payload/{version}"
    assert "=" not in sealed["value"]
    assert headers["x-ms-request-id"]
    status, opened, _ = await vault.ask(
        "decrypt",
        "POST",
        f"/keys/payload/{version}/decrypt",
        {"alg": ALGORITHM, "value": sealed["value"]},
    )
    assert (status, opened["kid"]) == (200, sealed["kid"])
    assert from_base64url(opened["value"]) == b"data key"


async def test_old_versions_open_after_a_rotation(vault: Vault) -> None:
    _, sealed, _ = await vault.ask("owner", "POST", "/keys/payload//encrypt", encrypt_body())
    _, rotated, _ = await vault.ask("owner", "POST", "/keys/payload/rotate", {})
    assert rotated["key"]["kid"] != sealed["kid"]
    body = {"alg": ALGORITHM, "value": sealed["value"]}
    old = sealed["kid"].removeprefix(vault.url)
    assert (await vault.ask("owner", "POST", f"{old}/decrypt", body))[0] == 200
    status, refused, _ = await vault.ask("owner", "POST", "/keys/payload//decrypt", body)
    assert (status, refused["error"]["code"]) == (400, "BadParameter")
    _, sealed, _ = await vault.ask("owner", "POST", "/keys/payload//encrypt", encrypt_body())
    assert sealed["kid"] == rotated["key"]["kid"]


async def test_a_disabled_version_neither_seals_nor_opens_until_it_is_enabled(
    vault: Vault,
) -> None:
    _, sealed, _ = await vault.ask("owner", "POST", "/keys/payload//encrypt", encrypt_body())
    old = sealed["kid"].rpartition("/")[2]
    await vault.ask("owner", "POST", "/keys/payload/rotate", {})
    path = f"/keys/payload/{old}"
    open_it = {"alg": ALGORITHM, "value": sealed["value"]}
    for enabled, expected in ((False, 403), (True, 200)):
        change = {"attributes": {"enabled": enabled}}
        status, updated, _ = await vault.ask("owner", "PATCH", path, change)
        assert (status, updated["attributes"]["enabled"]) == (200, enabled)
        for operation, body in (("encrypt", encrypt_body()), ("decrypt", open_it)):
            status, answer, _ = await vault.ask("owner", "POST", f"{path}/{operation}", body)
            assert status == expected
            if expected == 403:
                assert answer["error"]["innererror"]["code"] == "KeyDisabled"
        # The newest is another one, and goes on.
        status, _, _ = await vault.ask("owner", "POST", "/keys/payload//encrypt", encrypt_body())
        assert status == 200


async def test_a_key_shows_its_public_half_only(vault: Vault) -> None:
    _, body, _ = await vault.ask("get", "GET", "/keys/payload/")
    key = body["key"]
    assert set(key) == {"kid", "kty", "key_ops", "n", "e"}
    assert (key["kty"], key["e"]) == ("RSA", "AQAB")
    assert len(from_base64url(key["n"])) == 256
    assert key["key_ops"] == ["encrypt", "decrypt", "wrapKey", "unwrapKey"]
    assert body["attributes"]["enabled"] is True
    assert body["attributes"]["created"] > 0


async def test_lists(vault: Vault) -> None:
    await vault.ask("owner", "POST", "/keys/payload/rotate", {})
    _, keys, _ = await vault.ask("list", "GET", "/keys")
    names = [f"{vault.url}/keys/payload", f"{vault.url}/keys/sealed"]
    assert [key["kid"] for key in keys["value"]] == names
    _, versions, _ = await vault.ask("list", "GET", "/keys/payload/versions")
    expected = [f"{names[0]}/{v}" for v in vault.store.key_versions("payload")]
    assert [version["kid"] for version in versions["value"]] == expected
    _, secrets, _ = await vault.ask("list", "GET", "/secrets")
    assert [secret["id"] for secret in secrets["value"]] == [f"{vault.url}/secrets/partner"]
    _, versions, _ = await vault.ask("list", "GET", "/secrets/partner/versions")
    assert len(versions["value"]) == 1
    assert VALUE not in json.dumps([secrets, versions])


async def test_secrets_have_versions(vault: Vault) -> None:
    _, first, _ = await vault.ask("read_secret", "GET", "/secrets/partner/")
    assert (first["value"], first["contentType"]) == (VALUE, "application/json")
    body = {"value": "new", "contentType": "text/plain"}
    status, second, _ = await vault.ask("owner", "PUT", "/secrets/partner", body)
    assert (status, second["value"], second["contentType"]) == (200, "new", "text/plain")
    _, newest, _ = await vault.ask("read_secret", "GET", "/secrets/partner")
    assert newest == second
    old = first["id"].removeprefix(vault.url)
    assert (await vault.ask("read_secret", "GET", old))[1]["value"] == VALUE


# Odd requests


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"null",
        b"[]",
        b'"x"',
        b"\xff\xfe",
        b"[" * 60_000,
        b"9" * 60_000,
        b"{}",
        b'{"alg": "RSA-OAEP-256"}',
        b'{"alg": "RSA-OAEP-256", "value": 1}',
        b'{"alg": "RSA-OAEP-256", "value": "a+b"}',
        b'{"alg": "RSA-OAEP-256", "value": "\\ud800"}',
        b'{"alg": "RSA2", "value": "AAAA"}',
        b'{"alg": null, "value": "AAAA"}',
        b'{"alg": "RSA-OAEP-256", "value": "' + b"A" * 400 + b'"}',
    ],
)
async def test_a_body_that_cannot_be_used(vault: Vault, body: bytes) -> None:
    for operation in ("encrypt", "decrypt"):
        status, answer, _ = await vault.ask("owner", "POST", f"/keys/payload//{operation}", body)
        assert (status, answer["error"]["code"]) == (400, "BadParameter")
        assert "Traceback" not in json.dumps(answer)


@pytest.mark.parametrize("value", [None, 1, "x" * 25_601])
async def test_a_secret_that_cannot_be_set(vault: Vault, value: object) -> None:
    status, answer, _ = await vault.ask("owner", "PUT", "/secrets/partner", {"value": value})
    assert (status, answer["error"]["code"]) == (400, "BadParameter")


async def test_a_body_that_is_too_large(vault: Vault) -> None:
    body = b" " * 200_000
    status, answer, _ = await vault.ask("owner", "POST", "/keys/payload//encrypt", body)
    assert (status, answer["error"]["code"]) == (413, "RequestEntityTooLarge")


async def test_a_body_that_never_comes(vault: Vault, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("local.net.request_body.PATIENCE", 0.1)
    token = vault.issuer.issue(identity("encrypt"), AUDIENCE).value
    context = ssl.create_default_context(cafile=vault.ca_file)
    port = int(vault.url.rpartition(":")[2])
    reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=context)
    writer.write(
        b"POST /keys/payload//encrypt?api-version=7.4 HTTP/1.1\r\nHost: x\r\n"
        b"Content-Length: 10\r\nAuthorization: Bearer " + token.encode() + b"\r\n\r\n"
    )
    assert b" 408 " in await reader.readline()
    writer.close()
    await writer.wait_closed()


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("?api-version=7.0", 200),
        ("?api-version=7.6-preview.2", 200),
        ("?api-version=2025-07-01", 200),
        ("?api-version=2026-04-01-preview", 400),
        ("?api-version=2026-04-01&maxresults=5", 400),
        ("?api-version=2026-04-01&api-version=2026-04-01", 400),
        ("?api%2Dversion=2025-07-01", 200),
        ("", 400),
        ("?api-version=", 400),
        ("?api-version=latest", 400),
    ],
)
async def test_api_versions(vault: Vault, query: str, expected: int) -> None:
    assert (await vault.ask("get", "GET", "/keys/payload", query=query))[0] == expected


async def test_what_is_not_there_is_said_in_json(vault: Vault) -> None:
    for method, path in (("GET", "/"), ("DELETE", "/keys"), ("POST", "/keys/payload//release")):
        status, answer, _ = await vault.ask("owner", method, path)
        assert (status, answer["error"]["code"]) == (405, "MethodNotAllowed")


@pytest.mark.parametrize(
    ("method", "path", "action"),
    [
        ("DELETE", "/keys/payload", "keys/delete"),
        ("DELETE", "/keys", "keys/delete"),
        ("PUT", "/keys", "keys/import/action"),
        ("POST", "/keys/payload//release", "keys/release/action"),
        ("GET", "/certificates/one", "certificates/read"),
        ("DELETE", "/deletedsecrets/partner", "secrets/purge/action"),
    ],
)
async def test_only_who_has_the_right_learns_what_is_not_served(
    vault: Vault, method: str, path: str, action: str
) -> None:
    status, answer, _ = await vault.ask("nobody", method, path)
    assert (status, answer["error"]["innererror"]["code"]) == (403, "ForbiddenByRbac")
    assert f"Action: 'Microsoft.KeyVault/vaults/{action}'" in answer["error"]["message"]


async def test_every_response_has_azures_headers(vault: Vault) -> None:
    for who, status in (("get", 200), ("encrypt", 403), (None, 401)):
        found, _, headers = await vault.ask(who, "GET", "/keys/payload")
        assert found == status
        assert headers["Cache-Control"] == "no-cache"
        assert headers["x-ms-keyvault-region"] == "westeurope"
        assert headers["x-ms-keyvault-service-version"]
        assert headers["x-ms-keyvault-network-info"].startswith("conn_type=Ipv4;addr=127.0.0.1;")
        assert headers["Content-Type"] == "application/json; charset=utf-8"
        assert ("x-ms-keyvault-rbac-assignment-id" in headers) is (status == 200)


@pytest.mark.parametrize(("given", "back"), [("a-b", "a-b"), ("x" * 129, None), ("a b", None)])
async def test_the_clients_request_id_comes_back(
    vault: Vault, given: str, back: str | None
) -> None:
    async with vault.session.get(
        f"{vault.url}/keys?api-version=7.4", headers={"x-ms-client-request-id": given}
    ) as response:
        assert response.headers.get("x-ms-client-request-id") == back


async def test_a_purge_has_no_body(vault: Vault) -> None:
    await vault.ask("owner", "PUT", "/secrets/other", {"value": "v"})
    await vault.ask("owner", "DELETE", "/secrets/other")
    token = vault.issuer.issue(identity("owner"), AUDIENCE).value
    async with vault.session.delete(
        f"{vault.url}/deletedsecrets/other?api-version=7.4",
        headers={"Authorization": f"Bearer {token}"},
    ) as response:
        assert (response.status, await response.read()) == (204, b"")


async def test_what_goes_wrong_inside_stays_inside(
    vault: Vault, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError("planted secret")

    monkeypatch.setattr(vault.store.keys, "version", fail)
    status, answer, _ = await vault.ask("get", "GET", "/keys/payload")
    assert (status, answer["error"]["code"]) == (500, "InternalServerError")
    assert "planted" not in json.dumps(answer) + caplog.text
    assert "RuntimeError" in caplog.text


async def test_nothing_secret_is_logged(vault: Vault, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    planted = to_base64url(b"planted data key")
    body = {"alg": ALGORITHM, "value": planted}
    token = vault.issuer.issue(identity("owner"), AUDIENCE).value
    await vault.ask(None, "POST", "/keys/payload//encrypt", body, token=token)
    await vault.ask(None, "PUT", "/secrets/partner", {"value": "planted-value"}, token=token)
    await vault.ask(None, "PUT", "/secrets/partner", b'{"planted-value', token=token)
    for text in (planted, "planted", VALUE, token):
        assert text not in caplog.text


# The SDKs


@pytest.mark.parametrize("model", MODELS)
async def test_one_request_for_each_operation(start: Start, model: Model) -> None:
    vault = await start(model)
    async with vault.keys("encrypt") as client:
        for count in (1, 2, 3):
            response = await client.send_request(
                HttpRequest("POST", "keys/payload//encrypt", json=encrypt_body())
            )
            assert response.status_code == 200
            assert vault.authenticated() == {("POST", "/keys/payload//encrypt"): count}
    # The first one was challenged, and that is all there was beside them.
    assert [token for _, _, token in vault.arrived] == [False, True, True, True]


@pytest.mark.parametrize("model", MODELS)
async def test_the_sdk_gets_the_reason(start: Start, model: Model) -> None:
    vault = await start(model)
    inner = "ForbiddenByRbac" if model == "rbac" else "ForbiddenByPolicy"
    async with vault.keys("encrypt") as client:
        with pytest.raises(HttpResponseError) as caught:
            await client.get_key("payload")
        assert caught.value.status_code == 403
        assert caught.value.error is not None
        assert caught.value.error.innererror == {"code": inner}
        response = await client.send_request(
            HttpRequest("POST", "keys/payload//decrypt", json=encrypt_body())
        )
        assert response.status_code == 403
    async with vault.secrets("encrypt") as client:
        with pytest.raises(HttpResponseError) as caught:
            await client.get_secret("partner")
        assert caught.value.status_code == 403


async def test_keys_by_the_sdk(vault: Vault) -> None:
    async with vault.keys("owner") as client:
        key = await client.get_key("payload")
        assert key.id == f"{vault.url}/keys/payload/{vault.store.key_versions('payload')[0]}"
        rotated = await client.rotate_key("payload")
        assert rotated.properties.version == vault.store.key_versions("payload")[1]
        assert (await client.get_key("payload", key.properties.version)).id == key.id
        assert [k.name async for k in client.list_properties_of_keys()] == ["payload", "sealed"]
        versions = [k.version async for k in client.list_properties_of_key_versions("payload")]
        assert versions == list(vault.store.key_versions("payload"))
        with pytest.raises(ResourceNotFoundError):
            await client.get_key("none")


async def test_cryptography_by_the_sdk(vault: Vault) -> None:
    unversioned = f"{vault.url}/keys/payload"
    async with vault.crypto("encrypt", unversioned) as client:
        sealed = await client.encrypt(EncryptionAlgorithm.rsa_oaep_256, b"data key")
    version = vault.store.key_versions("payload")[0]
    async with vault.crypto("decrypt", f"{unversioned}/{version}") as client:
        opened = await client.decrypt(EncryptionAlgorithm.rsa_oaep_256, sealed.ciphertext)
    assert opened.plaintext == b"data key"
    async with vault.crypto("wrap", unversioned) as client:
        wrapped = await client.wrap_key(KeyWrapAlgorithm.rsa_oaep, b"data key")
    async with vault.crypto("unwrap", unversioned) as client:
        unwrapped = await client.unwrap_key(KeyWrapAlgorithm.rsa_oaep, wrapped.encrypted_key)
    assert unwrapped.key == b"data key"


async def test_encryption_by_the_sdk_with_the_public_key_only(vault: Vault) -> None:
    async with vault.crypto("get", f"{vault.url}/keys/payload") as client:
        sealed = await client.encrypt(EncryptionAlgorithm.rsa_oaep_256, b"data key")
    body = {"alg": ALGORITHM, "value": to_base64url(sealed.ciphertext)}
    _, opened, _ = await vault.ask("decrypt", "POST", "/keys/payload//decrypt", body)
    assert from_base64url(opened["value"]) == b"data key"


async def test_secrets_by_the_sdk(vault: Vault) -> None:
    async with vault.secrets("owner") as client:
        first = await client.get_secret("partner")
        assert (first.value, first.properties.content_type) == (VALUE, "application/json")
        second = await client.set_secret("partner", "new", content_type="text/plain")
        assert (await client.get_secret("partner")).value == "new"
        assert (await client.get_secret("partner", first.properties.version)).value == VALUE
        versions = [s.version async for s in client.list_properties_of_secret_versions("partner")]
        assert versions == [first.properties.version, second.properties.version]
        assert [s.name async for s in client.list_properties_of_secrets()] == ["partner"]
        with pytest.raises(ResourceNotFoundError):
            await client.get_secret("none")


async def test_the_sdk_and_a_token_that_is_refused(
    vault: Vault, monkeypatch: pytest.MonkeyPatch
) -> None:
    vault.issuer.seconds = -10
    async with vault.keys("owner") as client:
        with pytest.raises(ClientAuthenticationError):
            await client.get_key("payload")


async def test_the_synchronous_sdks(vault: Vault) -> None:
    def use() -> tuple[str | None, str | None]:
        with (
            SyncManagedIdentityCredential(client_id="app-owner") as credential,
            SyncKeyClient(vault.url, credential, **vault.options()) as keys,
            SyncSecretClient(vault.url, credential, **vault.options()) as secrets,
        ):
            return keys.get_key("payload").id, secrets.get_secret("partner").value

    key_id, value = await asyncio.to_thread(use)
    assert key_id == f"{vault.url}/keys/payload/{vault.store.key_versions('payload')[0]}"
    assert value == VALUE
