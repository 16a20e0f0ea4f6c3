"""The metadata service of a machine, asked as programs on that machine ask it."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Any

import pytest
from aiohttp import ClientSession, web
from azure.identity import CredentialUnavailableError
from azure.identity import ManagedIdentityCredential as SyncManagedIdentityCredential
from azure.identity.aio import ManagedIdentityCredential

from local.authorization.audit_log import AuditLog
from local.deployment.resources import Identity, MachineSpec
from local.faults.faults import Fault, Faults
from local.identity.imds import imds_endpoint
from local.identity.tokens import TokenIssuer
from local.runtime.fault_middleware import imds_faults

TENANT = "00000000-0000-4000-8000-000000000002"
VAULT = "https://vault.azure.net"
HEADERS = {"Metadata": "true"}
PATH = "metadata/identity/oauth2/token"

DATABASE = Identity("/subscriptions/s/identities/Database", "database", "oid-db", "app-db")
DECRYPT = Identity("/subscriptions/s/identities/decrypt", "decrypt", "oid-decrypt", "app-decrypt")
PARTNER = Identity("/subscriptions/s/identities/partner", "partner", "oid-partner", "app-partner")
SYSTEM = Identity("/subscriptions/s/machines/reader", "reader", "oid-system", "app-system")

READER = MachineSpec("/machines/reader", "reader", (DATABASE,), SYSTEM, {})
MERGED = MachineSpec("/machines/merged", "merged", (DATABASE,), None, {})
SPLIT = MachineSpec("/machines/split", "split", (DECRYPT, PARTNER), None, {})
BARE = MachineSpec("/machines/bare", "bare", (), None, {})

MULTIPLE = (
    "Multiple user assigned identities exist, please specify the clientId / resourceId of the "
    "identity in the token request"
)

Serve = Callable[[Callable[[str], web.Application]], Awaitable[str]]


@dataclass
class Service:
    """The service of one machine; what it is can be changed while it is asked."""

    issuer: TokenIssuer
    url: str
    session: ClientSession
    machine: MachineSpec

    async def ask(
        self, query: Mapping[str, str], headers: Mapping[str, str] = HEADERS
    ) -> tuple[int, dict[str, Any]]:
        asked = {"api-version": "2018-02-01", "resource": VAULT, **query}
        async with self.session.get(self.url + PATH, params=asked, headers=headers) as response:
            assert response.headers["Cache-Control"] == "no-store"
            return response.status, await response.json()

    async def status(self, method: str, path: str) -> int:
        url = self.url + path
        async with self.session.request(method, url, headers=HEADERS) as response:
            return response.status


@pytest.fixture
def decisions() -> AuditLog:
    return AuditLog()


@pytest.fixture
def faults() -> Faults:
    return Faults()


@pytest.fixture
async def service(
    serve: Serve,
    stack: AsyncExitStack,
    decisions: AuditLog,
    faults: Faults,
    monkeypatch: pytest.MonkeyPatch,
) -> Service:
    issuer = TokenIssuer(TENANT)
    session = await stack.enter_async_context(ClientSession())
    made = Service(issuer, "", session, READER)

    def application(_: str) -> web.Application:
        app = imds_endpoint(issuer, lambda: made.machine, decisions)
        app.middlewares.append(imds_faults(faults))
        return app

    made.url = await serve(application)
    monkeypatch.setenv("AZURE_POD_IDENTITY_AUTHORITY_HOST", made.url)
    return made


@pytest.mark.parametrize(
    ("machine", "query", "expected"),
    [
        (READER, {}, SYSTEM),
        (READER, {"client_id": "app-db"}, DATABASE),
        (READER, {"client_id": "APP-DB"}, DATABASE),
        (READER, {"object_id": "oid-db"}, DATABASE),
        (READER, {"msi_res_id": "/SUBSCRIPTIONS/s/identities/database"}, DATABASE),
        (READER, {"client_id": "app-system"}, SYSTEM),
        (MERGED, {}, DATABASE),
        (SPLIT, {"client_id": "app-decrypt"}, DECRYPT),
        (SPLIT, {"object_id": "oid-partner"}, PARTNER),
        (READER, {"api-version": "2025-04-07"}, SYSTEM),
    ],
)
async def test_a_machine_gets_tokens_of_its_identities(
    service: Service, machine: MachineSpec, query: dict[str, str], expected: Identity
) -> None:
    service.machine = machine
    status, answer = await service.ask(query)
    assert status == 200
    claims = service.issuer.verify(answer.pop("access_token"), VAULT)
    assert claims.principal_id == expected.principal_id
    assert answer == {
        "client_id": expected.client_id,
        "expires_in": "3600",
        "expires_on": str(claims.expires_on),
        "ext_expires_in": "3600",
        "not_before": str(claims.expires_on - 3600),
        "resource": VAULT,
        "token_type": "Bearer",
    }


@pytest.mark.parametrize(
    ("machine", "query", "description"),
    [
        (READER, {"client_id": "app-decrypt"}, "Identity not found"),
        (READER, {"client_id": "oid-db"}, "Identity not found"),
        (READER, {"client_id": "database"}, "Identity not found"),
        (MERGED, {"object_id": "oid-system"}, "Identity not found"),
        (SPLIT, {"msi_res_id": "/subscriptions/s/identities/database"}, "Identity not found"),
        (BARE, {}, "Identity not found"),
        (SPLIT, {}, MULTIPLE),
    ],
)
async def test_an_identity_that_is_not_attached_is_not_found(
    service: Service, machine: MachineSpec, query: dict[str, str], description: str
) -> None:
    service.machine = machine
    assert await service.ask(query) == (
        400,
        {"error": "invalid_request", "error_description": description},
    )


@pytest.mark.parametrize(
    ("headers", "description"),
    [
        ({}, "Required metadata header not specified"),
        ({"Metadata": ""}, "Required metadata header not specified"),
        ({"Metadata": "True"}, "Required metadata header not specified"),
        (HEADERS | {"X-Forwarded-For": "203.0.113.7"}, "must not have been forwarded"),
        (HEADERS | {"X-Forwarded-For": ""}, "must not have been forwarded"),
    ],
)
async def test_a_request_that_may_not_come_from_the_machine_is_refused(
    service: Service, headers: dict[str, str], description: str
) -> None:
    status, answer = await service.ask({}, headers)
    assert (status, answer["error"]) == (400, "invalid_request")
    assert description in answer["error_description"]


@pytest.mark.parametrize(
    ("query", "error", "word"),
    [
        ({"api-version": ""}, "invalid_request", "api-version"),
        ({"api-version": "2017-12-01"}, "invalid_request", "api-version"),
        ({"api-version": "2018-02-01x"}, "invalid_request", "api-version"),
        ({"resource": ""}, "invalid_request", "audience"),
        ({"resource": "https://elsewhere.example"}, "invalid_resource", "AADSTS500011"),
        ({"resource": "<script>\r\n"}, "invalid_resource", "AADSTS500011"),
        ({"client_id": "app-db", "object_id": "oid-db"}, "invalid_request", "Only one of"),
        ({"client_id": ""}, "invalid_request", "client_id is empty"),
        ({"principal_id": "oid-db"}, "invalid_request", "principal_id is not known"),
        ({"resource_id": "x"}, "invalid_request", "resource_id is not known"),
    ],
)
async def test_a_request_that_cannot_be_answered(
    service: Service, query: dict[str, str], error: str, word: str
) -> None:
    status, answer = await service.ask(query)
    assert (status, answer["error"]) == (400, error)
    assert word in answer["error_description"]
    assert "<script>" not in answer["error_description"]


async def test_a_parameter_given_twice_is_refused(service: Service) -> None:
    url = f"{service.url}{PATH}?api-version=2018-02-01&resource={VAULT}&client_id=a&client_id=b"
    async with service.session.get(url, headers=HEADERS) as response:
        assert response.status == 400
        assert (await response.json())["error"] == "invalid_request"


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("POST", PATH, 405),
        ("HEAD", PATH, 405),
        ("PUT", f"{PATH}/", 405),
        ("GET", "metadata/instance", 404),
        ("GET", "", 404),
        ("GET", "msi/token", 404),
    ],
)
async def test_nothing_else_is_served(
    service: Service, method: str, path: str, status: int
) -> None:
    assert await service.status(method, path) == status


async def test_a_slash_before_the_query_makes_no_difference(service: Service) -> None:
    url = f"{service.url}{PATH}/?api-version=2018-02-01&resource={VAULT}"
    async with service.session.get(url, headers=HEADERS) as response:
        assert response.status == 200


@pytest.mark.parametrize("status", [404, 410, 429, 500])
async def test_what_the_service_answers_while_it_is_away_can_be_played(
    service: Service, faults: Faults, status: int
) -> None:
    faults.set(Fault("identity", "status", status=status, times=1))
    assert (await service.ask({}))[0] == status
    assert (await service.ask({}))[0] == 200


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"client_id": "app-decrypt"}, DECRYPT),
        ({"identity_config": {"msi_res_id": PARTNER.resource_id}}, PARTNER),
        ({"identity_config": {"object_id": "oid-partner"}}, PARTNER),
    ],
)
async def test_the_sdk_gets_tokens(
    service: Service, options: dict[str, Any], expected: Identity
) -> None:
    service.machine = SPLIT
    async with ManagedIdentityCredential(**options) as credential:
        token = await credential.get_token(f"{VAULT}/.default")
    assert service.issuer.verify(token.token, VAULT).principal_id == expected.principal_id


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, SYSTEM),
        ({"client_id": "app-db"}, DATABASE),
        ({"identity_config": {"resource_id": DATABASE.resource_id}}, DATABASE),
    ],
)
async def test_the_synchronous_sdk(
    service: Service, options: dict[str, Any], expected: Identity
) -> None:
    def get() -> str:
        with SyncManagedIdentityCredential(**options) as credential:
            return str(credential.get_token(f"{VAULT}/.default").token)

    token = await asyncio.to_thread(get)
    assert service.issuer.verify(token, VAULT).principal_id == expected.principal_id


async def test_the_sdk_is_told_of_an_identity_of_another_machine(service: Service) -> None:
    async with ManagedIdentityCredential(client_id="app-decrypt") as credential:
        with pytest.raises(CredentialUnavailableError, match="Identity not found"):
            await credential.get_token(f"{VAULT}/.default")


async def test_who_got_a_token_and_who_did_not_is_on_record(
    service: Service, decisions: AuditLog
) -> None:
    await service.ask({"client_id": "app-db"})
    await service.ask({"client_id": "app-decrypt"})
    await service.ask({"client_id": "app-db"}, {})
    kept = decisions.after(0, 10).decisions
    assert [(one.app, one.allowed) for one in kept] == [("reader", True), ("reader", False)]


async def test_no_token_is_logged(service: Service, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    _, answer = await service.ask({"client_id": "app-db"})
    assert answer["access_token"] not in caplog.text
