from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Any

import pytest
from aiohttp import ClientSession, web
from azure.core.exceptions import ClientAuthenticationError
from azure.identity import CredentialUnavailableError
from azure.identity import ManagedIdentityCredential as SyncManagedIdentityCredential
from azure.identity.aio import ManagedIdentityCredential

from local.deployment.resources import AppSpec, Identity, Operator
from local.identity.endpoint import token_endpoint
from local.identity.token_request import Caller
from local.identity.tokens import TokenIssuer

TENANT = "00000000-0000-4000-8000-000000000002"
VAULT = "https://vault.azure.net"
SENDER_SECRET = "sender-header-secret"
TRACKER_SECRET = "tracker-header-secret"

ENCRYPT = Identity("/subscriptions/s/identities/Encrypt", "encrypt", "oid-encrypt", "app-encrypt")
SHARED = Identity("/subscriptions/s/identities/database", "database", "oid-shared", "app-shared")
DECRYPT = Identity("/subscriptions/s/identities/decrypt", "decrypt", "oid-decrypt", "app-decrypt")
SYSTEM = Identity("/subscriptions/s/sites/sender", "sender", "oid-system", "app-system")

OPERATOR_SECRET = "operator-header-secret"
OPERATOR = Identity("/operators/operator", "operator", "oid-operator", "app-operator")

NOT_FOUND = (
    "No User Assigned or Delegated Managed Identity found for specified "
    "ClientId/ResourceId/PrincipalId."
)

Serve = Callable[[Callable[[str], web.Application]], Awaitable[str]]


@dataclass
class Endpoint:
    issuer: TokenIssuer
    url: str
    session: ClientSession

    async def ask(
        self, secret: str | None = SENDER_SECRET, version: str = "2019-08-01", **query: str
    ) -> tuple[int, dict[str, Any]]:
        headers = {} if secret is None else {"X-IDENTITY-HEADER": secret}
        query = {"api-version": version, "resource": VAULT, **query}
        async with self.session.get(self.url, params=query, headers=headers) as response:
            return response.status, await response.json()


@pytest.fixture
async def endpoint(
    serve: Serve, stack: AsyncExitStack, monkeypatch: pytest.MonkeyPatch
) -> Endpoint:
    issuer = TokenIssuer(TENANT)
    callers: dict[str, Caller] = {
        SENDER_SECRET: AppSpec("/sites/s", "s", "sender", (ENCRYPT, SHARED), SYSTEM, {}),
        TRACKER_SECRET: AppSpec("/sites/t", "t", "tracker", (SHARED,), None, {}),
        OPERATOR_SECRET: Operator("operator", OPERATOR),
    }
    url = await serve(lambda _: token_endpoint(issuer, callers)) + "msi/token"
    monkeypatch.setenv("IDENTITY_ENDPOINT", url)
    monkeypatch.setenv("IDENTITY_HEADER", SENDER_SECRET)
    return Endpoint(issuer, url, await stack.enter_async_context(ClientSession()))


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ({}, SYSTEM),
        ({"client_id": "app-encrypt"}, ENCRYPT),
        ({"client_id": "APP-ENCRYPT"}, ENCRYPT),
        ({"client_id": "app-system"}, SYSTEM),
        ({"principal_id": "oid-shared"}, SHARED),
        ({"object_id": "oid-shared"}, SHARED),
        ({"mi_res_id": "/SUBSCRIPTIONS/s/identities/encrypt"}, ENCRYPT),
    ],
)
async def test_an_app_gets_tokens_of_its_identities(
    endpoint: Endpoint, query: dict[str, str], expected: Identity
) -> None:
    status, answer = await endpoint.ask(**query)
    assert status == 200
    claims = endpoint.issuer.verify(answer["access_token"], VAULT)
    assert claims.principal_id == expected.principal_id
    assert answer["client_id"] == expected.client_id
    assert answer["expires_on"] == str(claims.expires_on)
    assert answer["expires_in"] == "3600"
    assert answer["resource"] == VAULT
    assert answer["token_type"] == "Bearer"


@pytest.mark.parametrize(
    ("secret", "query"),
    [
        (SENDER_SECRET, {"client_id": "app-decrypt"}),
        (SENDER_SECRET, {"principal_id": "oid-decrypt"}),
        (SENDER_SECRET, {"mi_res_id": "/subscriptions/s/identities/decrypt"}),
        (SENDER_SECRET, {"client_id": "oid-encrypt"}),
        (SENDER_SECRET, {"client_id": "encrypt"}),
        (TRACKER_SECRET, {"client_id": "app-encrypt"}),
        (TRACKER_SECRET, {}),
        (TRACKER_SECRET, {"client_id": "app-operator"}),
        (OPERATOR_SECRET, {"client_id": "app-encrypt"}),
        (OPERATOR_SECRET, {"principal_id": "oid-system"}),
    ],
)
async def test_an_identity_of_others_is_not_found(
    endpoint: Endpoint, secret: str, query: dict[str, str]
) -> None:
    status, answer = await endpoint.ask(secret, **query)
    assert (status, answer["statusCode"], answer["message"]) == (400, 400, NOT_FOUND)


async def test_an_operator_gets_tokens_of_its_own(endpoint: Endpoint) -> None:
    status, answer = await endpoint.ask(OPERATOR_SECRET)
    assert status == 200
    assert endpoint.issuer.verify(answer["access_token"], VAULT).principal_id == "oid-operator"


@pytest.mark.parametrize(
    ("secret", "expected"),
    [(None, 401), ("", 401), ("wrong", 403), ("wröng", 403), (SENDER_SECRET[:-1], 403)],
)
async def test_without_the_apps_secret_there_is_nothing(
    endpoint: Endpoint, secret: str | None, expected: int
) -> None:
    status, answer = await endpoint.ask(secret)
    assert (status, set(answer)) == (expected, {"statusCode", "message", "correlationId"})


@pytest.mark.parametrize(
    ("query", "word"),
    [
        ({"version": "2017-09-01"}, "api-version"),
        ({"version": ""}, "api-version"),
        ({"resource": ""}, "resource"),
        ({"resource": "https://elsewhere.example"}, "AADSTS500011"),
        ({"resource": "https://vault.azure.net.evil.example"}, "AADSTS500011"),
        ({"resource": "<script>\r\n"}, "AADSTS500011"),
        ({"resource": f"{VAULT}/.default"}, "AADSTS500011"),
        ({"resource": "api://app-encrypt"}, "AADSTS500011"),
        ({"client_id": "app-encrypt", "principal_id": "oid-shared"}, "Only one"),
        ({"client_id": "app-encrypt", "mi_res_id": ""}, "Only one"),
        ({"client_id": ""}, "client_id is empty"),
        # Selectors of other endpoints and misspelt ones must not give the system identity's token.
        ({"msi_res_id": SHARED.resource_id}, "msi_res_id is not known"),
        ({"resource_id": SHARED.resource_id}, "resource_id is not known"),
        ({"clientid": "app-encrypt"}, "clientid is not known"),
        ({"Client_Id": "app-encrypt"}, "Client_Id is not known"),
    ],
)
async def test_a_request_that_cannot_be_answered(
    endpoint: Endpoint, query: dict[str, str], word: str
) -> None:
    status, answer = await endpoint.ask(**query)
    assert status == 400
    assert word in answer["message"]
    assert "<script>" not in answer["message"]


async def test_a_token_is_not_to_be_cached(endpoint: Endpoint) -> None:
    query = {"api-version": "2019-08-01", "resource": VAULT}
    headers = {"X-IDENTITY-HEADER": SENDER_SECRET}
    async with endpoint.session.get(endpoint.url, params=query, headers=headers) as response:
        assert response.headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize("scope", [f"{VAULT}/.default", "https://servicebus.azure.net//.default"])
async def test_the_sdk_gets_tokens(endpoint: Endpoint, scope: str) -> None:
    async with ManagedIdentityCredential(client_id="app-encrypt") as credential:
        token = await credential.get_token(scope)
    audience = scope.removesuffix("/.default")
    assert endpoint.issuer.verify(token.token, audience).principal_id == "oid-encrypt"


async def test_the_sdk_by_resource_id_and_for_the_system_identity(endpoint: Endpoint) -> None:
    async with ManagedIdentityCredential(
        identity_config={"mi_res_id": SHARED.resource_id}
    ) as credential:
        token = await credential.get_token(f"{VAULT}/.default")
    assert endpoint.issuer.verify(token.token, VAULT).principal_id == "oid-shared"
    async with ManagedIdentityCredential() as credential:
        token = await credential.get_token(f"{VAULT}/.default")
    assert endpoint.issuer.verify(token.token, VAULT).principal_id == "oid-system"


async def test_the_sdk_is_refused_an_identity_of_another_app(endpoint: Endpoint) -> None:
    async with ManagedIdentityCredential(client_id="app-decrypt") as credential:
        with pytest.raises((ClientAuthenticationError, CredentialUnavailableError)):
            await credential.get_token(f"{VAULT}/.default")


async def test_the_synchronous_sdk(endpoint: Endpoint) -> None:
    def get() -> str:
        with SyncManagedIdentityCredential(client_id="app-encrypt") as credential:
            token: str = credential.get_token(f"{VAULT}/.default").token
            return token

    token = await asyncio.to_thread(get)
    assert endpoint.issuer.verify(token, VAULT).principal_id == "oid-encrypt"


async def test_neither_tokens_nor_secrets_are_logged(
    endpoint: Endpoint, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    _, answer = await endpoint.ask(client_id="app-encrypt")
    await endpoint.ask("wrong-secret")
    assert "encrypt" in caplog.text
    assert answer["access_token"] not in caplog.text
    assert SENDER_SECRET not in caplog.text
    assert "wrong-secret" not in caplog.text
