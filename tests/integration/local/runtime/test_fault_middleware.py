"""Faults played over real sockets: what a client of each service sees."""

from __future__ import annotations

import asyncio
import logging
import ssl
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from azure.core.exceptions import AzureError, ClientAuthenticationError, HttpResponseError
from azure.core.rest import HttpRequest
from azure.identity.aio import ManagedIdentityCredential
from azure.keyvault.keys.aio import KeyClient
from azure.keyvault.secrets.aio import SecretClient

from local.authorization.authorization import Authorization
from local.deployment.resources import (
    AppSpec,
    Deployment,
    Identity,
    KeySpec,
    RoleAssignment,
    RoleDefinition,
    SecretSpec,
    VaultSpec,
)
from local.faults.faults import Fault, Faults
from local.identity.endpoint import token_endpoint
from local.identity.tokens import TokenIssuer
from local.key_vault.store import VaultStore
from local.key_vault.vault import vault_app
from local.partner.webhook import PartnerWebhook, partner_app
from local.runtime.fault_middleware import identity_faults, partner_faults, vault_faults

Serve = Callable[[Callable[[str], web.Application]], Awaitable[str]]

BODY = b"\x00\xffpayload"
ANSWERED = aiohttp.ClientTimeout(total=10)
VAULT = "/subscriptions/s/resourceGroups/g/providers/Microsoft.KeyVault/vaults/payload-local"
WHO = Identity("/identities/all", "all", "oid-all", "app-all")
HEADER = "the-apps-own-header"
MESSAGE = {"alg": "RSA-OAEP-256", "value": "AAAA"}


@pytest.fixture
def faults() -> Faults:
    return Faults()


@pytest.fixture(autouse=True)
def quiet(caplog: pytest.LogCaptureFixture) -> Any:
    """Playing a fault is no failure of the local cloud's own, so nothing is logged as one."""
    yield
    assert [r.getMessage() for r in caplog.records if r.levelno >= logging.ERROR] == []


def told(faults: Faults, at: str, answer: str, **fields: object) -> None:
    faults.set(Fault.from_json({"service": at, "answer": answer, **fields}))


# The partner


@dataclass
class AtPartner:
    partner: PartnerWebhook
    url: str
    session: aiohttp.ClientSession

    async def post(
        self, message_id: str = "m1", content_type: str = "a/b", body: bytes = BODY
    ) -> tuple[int, dict[str, str]]:
        timestamp = str(int(time.time()))
        signature = self.partner.secrets[0].sign(message_id, timestamp, body).decode()
        headers = {
            "webhook-id": message_id,
            "webhook-timestamp": timestamp,
            "webhook-signature": f"v1,{signature}",
            "Content-Type": content_type,
        }
        async with self.session.post(
            f"{self.url}messages", data=body, headers=headers, allow_redirects=False
        ) as answer:
            await answer.read()
            return answer.status, dict(answer.headers)

    async def times(self) -> dict[str, int]:
        async with self.session.get(f"{self.url}received?ids") as answer:
            return {name: one["times"] for name, one in (await answer.json()).items()}


@pytest.fixture
async def at_partner(
    serve_tls: Serve, ca_file: Path, stack: AsyncExitStack, faults: Faults
) -> AtPartner:
    partner = PartnerWebhook()

    def make(_: str) -> web.Application:
        app = partner_app(partner, "key")
        app.middlewares.append(partner_faults(faults))
        return app

    connector = aiohttp.TCPConnector(ssl=ssl.create_default_context(cafile=ca_file))
    session = aiohttp.ClientSession(
        connector=connector, timeout=ANSWERED, headers={"Authorization": "Bearer key"}
    )
    url = await serve_tls(make)
    return AtPartner(partner, url, await stack.enter_async_context(session))


async def test_without_faults_all_is_as_ever(at_partner: AtPartner) -> None:
    assert (await at_partner.post())[0] == 204
    assert await at_partner.times() == {"m1": 1}


async def test_the_partner_answers_a_status_and_has_nothing(
    at_partner: AtPartner, faults: Faults
) -> None:
    told(faults, "partner", "status", status=429, retry_after=7, times=1)
    status, headers = await at_partner.post()
    assert (status, headers["Retry-After"]) == (429, "7")
    assert (at_partner.partner.count, await at_partner.times()) == (0, {})
    assert (await at_partner.post())[0] == 204
    assert await at_partner.times() == {"m1": 1}


async def test_the_partner_redirects(at_partner: AtPartner, faults: Faults) -> None:
    told(faults, "partner", "redirect")
    status, headers = await at_partner.post()
    assert (status, headers["Location"]) == (307, "/redirected")


@pytest.mark.parametrize("answer", ["close", "drop"])
async def test_the_partner_ends_the_connection(
    at_partner: AtPartner, faults: Faults, answer: str
) -> None:
    told(faults, "partner", answer, times=2)
    for _ in range(2):
        with pytest.raises((aiohttp.ClientError, ConnectionError)):
            await at_partner.post()
    assert await at_partner.times() == {}
    assert (await at_partner.post())[0] == 204


async def test_the_partner_takes_a_message_and_the_answer_is_lost(
    at_partner: AtPartner, faults: Faults
) -> None:
    told(faults, "partner", "drop", deliver_first=True, times=1)
    with pytest.raises((aiohttp.ClientError, ConnectionError)):
        await at_partner.post()
    assert (await at_partner.post())[0] == 204
    assert await at_partner.times() == {"m1": 2}


async def test_the_partner_hangs_for_those_who_wait_and_no_longer(
    at_partner: AtPartner, faults: Faults
) -> None:
    told(faults, "partner", "hang", id="m1")
    waiting = asyncio.create_task(at_partner.post())
    # Others are served in the meantime, so the one that hangs has been told to by then.
    while not faults.hits["partner"]:
        assert (await at_partner.post("m2"))[0] == 204
    assert not waiting.done()
    before = len(asyncio.all_tasks())
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    patience = time.monotonic() + 10
    while len(asyncio.all_tasks()) >= before - 1:
        assert time.monotonic() < patience, "it hangs on after the client went away"
        await asyncio.sleep(0.05)
    assert "m1" not in await at_partner.times()


async def test_the_partner_is_slow(at_partner: AtPartner, faults: Faults) -> None:
    told(faults, "partner", "slow", seconds=0.3)
    started = time.monotonic()
    assert (await at_partner.post())[0] == 204
    assert time.monotonic() - started >= 0.3
    assert await at_partner.times() == {"m1": 1}


async def test_marked_messages_alone_meet_the_fault(at_partner: AtPartner, faults: Faults) -> None:
    told(faults, "partner", "status", status=400, content_type="fault=400")
    told(faults, "partner", "status", status=500, body="payload-5")
    assert (await at_partner.post("m1", "text/plain"))[0] == 204
    assert (await at_partner.post("m2", 'text/plain; fault=400; x="y"'))[0] == 400
    assert (await at_partner.post("m3", body=b"\xff payload-5"))[0] == 500
    assert await at_partner.times() == {"m1": 1}


async def test_faults_leave_the_list_of_messages_alone(
    at_partner: AtPartner, faults: Faults
) -> None:
    told(faults, "partner", "status", status=503)
    async with at_partner.session.get(f"{at_partner.url}received") as answer:
        assert (answer.status, await answer.json()) == (200, [])


# A vault and the identities, with the SDKs as they are

ACTIONS = ("Microsoft.KeyVault/vaults/*",)


def vault_spec() -> VaultSpec:
    return VaultSpec(
        *(VAULT, "payload-local", "westeurope", "tenant"),
        uses_rbac=True,
        policies=(),
        keys=(KeySpec(f"{VAULT}/keys/payload", "payload", "RSA", 2048, ("encrypt", "decrypt")),),
        secrets=(SecretSpec(f"{VAULT}/secrets/partner", "partner", None),),
    )


@dataclass
class AtVault:
    url: str
    keys: KeyClient
    secrets: SecretClient
    credential: ManagedIdentityCredential

    async def encrypt(self) -> int:
        request = HttpRequest("POST", "keys/payload//encrypt", json=MESSAGE)
        answer = await self.keys.send_request(request)
        return int(answer.status_code)


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> VaultStore:
    store = VaultStore(tmp_path_factory.mktemp("vault") / "vault", vault_spec())
    store.set_secret("partner", "value")
    return store


@pytest.fixture
async def at_vault(
    serve: Serve,
    serve_tls: Serve,
    stack: AsyncExitStack,
    ca_file: Path,
    filled: VaultStore,
    faults: Faults,
    monkeypatch: pytest.MonkeyPatch,
) -> AsyncIterator[AtVault]:
    issuer = TokenIssuer("tenant")
    role = RoleDefinition("/roles/all", "all", ACTIONS, ())
    grant = RoleAssignment("/a", VAULT, "/roles/all", WHO.principal_id)
    authorization = Authorization(Deployment("t", (), (), (), (), (role,), (grant,), ()))

    def tokens(_: str) -> web.Application:
        spec = AppSpec("/sites/x", "x", "x", (WHO,), None, {})
        app = token_endpoint(issuer, {HEADER: spec})
        app.middlewares.append(identity_faults(faults))
        return app

    def vault(url: str) -> web.Application:
        app = vault_app(vault_spec(), filled, issuer, authorization, url)
        app.middlewares.append(vault_faults(faults, "payload-local"))
        return app

    monkeypatch.setenv("IDENTITY_ENDPOINT", f"{await serve(tokens)}msi/token")
    monkeypatch.setenv("IDENTITY_HEADER", HEADER)
    url = await serve_tls(vault)
    credential = ManagedIdentityCredential(client_id=WHO.client_id, retry_total=0)
    options: dict[str, Any] = {
        "verify_challenge_resource": False,
        "connection_verify": str(ca_file),
        "read_timeout": 0.5,
        "retry_total": 0,
    }
    async with (
        credential,
        KeyClient(url, credential, **options) as keys,
        SecretClient(url, credential, **options) as secrets,
    ):
        yield AtVault(url, keys, secrets, credential)


async def test_a_vault_throttles_one_operation_and_no_other(
    at_vault: AtVault, faults: Faults
) -> None:
    told(faults, "vault", "status", status=429, retry_after=9, operation="secrets/get", times=1)
    assert await at_vault.encrypt() == 200
    # The first request of all has no token: it is challenged as ever, and uses up nothing.
    with pytest.raises(HttpResponseError) as refused:
        await at_vault.secrets.get_secret("partner")
    assert refused.value.status_code == 429
    assert refused.value.error is not None
    assert refused.value.error.code == "Throttled"
    response: Any = refused.value.response
    assert response.headers["Retry-After"] == "9"
    assert (await at_vault.secrets.get_secret("partner")).value == "value"
    assert faults.hits["vault"] == 1


@pytest.mark.parametrize(
    ("status", "code"), [(500, "InternalServerError"), (503, "ServiceUnavailable"), (418, "Fault")]
)
async def test_a_vault_answers_a_status_in_its_own_words(
    at_vault: AtVault, faults: Faults, status: int, code: str
) -> None:
    told(faults, "vault", "status", status=status, vault="payload-local")
    with pytest.raises(HttpResponseError) as refused:
        await at_vault.secrets.get_secret("partner")
    assert refused.value.status_code == status
    assert refused.value.error is not None
    assert refused.value.error.code == code


@pytest.mark.parametrize("answer", ["hang", "close", "drop"])
async def test_a_vault_gives_no_answer(at_vault: AtVault, faults: Faults, answer: str) -> None:
    assert await at_vault.encrypt() == 200
    told(faults, "vault", answer, operation="encrypt", times=1)
    with pytest.raises(AzureError):
        await at_vault.encrypt()
    assert await at_vault.encrypt() == 200


async def test_another_vault_knows_nothing_of_it(at_vault: AtVault, faults: Faults) -> None:
    told(faults, "vault", "status", status=500, vault="partner-local")
    assert await at_vault.encrypt() == 200


async def test_the_identities_are_away_and_come_back(at_vault: AtVault, faults: Faults) -> None:
    told(faults, "identity", "status", status=500, times=1)
    with pytest.raises(ClientAuthenticationError):
        await at_vault.credential.get_token("https://vault.azure.net/.default")
    assert await at_vault.encrypt() == 200
    assert faults.hits["identity"] == 1


@pytest.mark.parametrize("answer", ["hang", "close", "drop"])
async def test_the_identities_give_no_answer(
    at_vault: AtVault, faults: Faults, answer: str
) -> None:
    # Not for a number of times: aiohttp by itself repeats a GET that lost its connection.
    told(faults, "identity", answer)
    asking = at_vault.credential.get_token("https://vault.azure.net/.default")
    with pytest.raises((AzureError, TimeoutError)):
        await asyncio.wait_for(asking, 0.7)
    faults.clear()
    assert await at_vault.encrypt() == 200
