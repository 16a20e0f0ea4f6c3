"""What code in one app can do with tokens: its own, those of others, and those it makes up."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import json
import time
from typing import Any
from urllib.parse import quote_plus, urlsplit

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509 import load_pem_x509_certificate

from local.bus.amqp import performatives as amqp
from local.bus.amqp.message import encode_response
from local.bus.amqp.values import Value
from tests.attacks.attacker import AUDIENCE, BUS, VAULT, Attacker
from tests.attacks.forgery import (
    FORGED,
    by_secret,
    parts,
)
from tests.pipeline.cloud_process import Running
from tests.tcp import serving

OTHERS = ["decrypt", "partner", "receiver_bus", "tracker_bus"]


@pytest.fixture
async def trap() -> Any:
    """Listen where a forged token says that its key is; it must not be asked."""
    visits: list[object] = []

    async def visit(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        visits.append(writer.get_extra_info("peername"))

    async with serving(visit) as port:
        yield f"http://127.0.0.1:{port}/keys"
    assert visits == []


@pytest.mark.parametrize("how", FORGED)
async def test_a_forged_token_opens_nothing(attacker: Attacker, how: str, trap: str) -> None:
    for_vault, for_bus = await attacker.token("encrypt"), await attacker.token("sender_bus", BUS)
    forged = FORGED[how](for_vault, trap)
    assert (await attacker.vault(forged)).status == 401
    assert (await attacker.vault(forged, path="keys")).status == 401
    status, link = await attacker.put_token(FORGED[how](for_bus, trap))
    assert (status, link) == (401, "amqp:unauthorized-access")


async def test_the_certificate_everybody_has_is_no_secret_to_sign_with(
    cloud: Running, attacker: Attacker
) -> None:
    token = await attacker.token("encrypt")
    public = load_pem_x509_certificate(cloud.authorities).public_key()
    pem = public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    for secret in (cloud.authorities, pem, parts(token)[0]["kid"].encode()):
        assert (await attacker.vault(by_secret(secret)(token, ""))).status == 401


async def test_the_tokens_of_the_app_are_good_for_what_it_may_and_nothing_else(
    attacker: Attacker,
) -> None:
    encrypt, database = await attacker.token("encrypt"), await attacker.token("database")
    assert (await attacker.vault(encrypt)).status == 200
    assert (await attacker.vault(database)).status == 403
    # One audience is every vault's: what keeps a token to its own is who may do what there.
    for vault, path in (
        ("partner", "secrets/partner-connection"),
        ("database", "secrets/database-connection"),
        ("payload", "keys/payload"),
    ):
        assert (await attacker.vault(encrypt, vault, path)).status == 403
    assert (await attacker.vault(database, "partner", "secrets/partner-connection")).status == 403
    bus = await attacker.token("sender_bus", BUS)
    assert await attacker.put_token(bus) == (202, "attached")
    for queue in ("rejected", "retries", "receipts"):
        assert await attacker.put_token(bus, queue) == (202, "amqp:unauthorized-access")
    assert await attacker.put_token(bus, "no-such-queue") == (404, "amqp:unauthorized-access")
    async with attacker.bus() as raw:
        raw.hello()
        raw.put_token(f"{AUDIENCE}/", bus)
        assert await attacker.status_of_token(raw) == 202
        assert await attacker.attach(raw, "messages", receives=True) == "amqp:unauthorized-access"


async def test_a_token_is_good_at_one_service(attacker: Attacker) -> None:
    for audience in (BUS, "https://management.azure.com", "https://storage.azure.com"):
        assert (await attacker.vault(await attacker.token("encrypt", audience))).status == 401
    for audience in (VAULT, "https://management.azure.com"):
        status, link = await attacker.put_token(await attacker.token("sender_bus", audience))
        assert (status, link) == (401, "amqp:unauthorized-access")


async def test_an_expired_token_is_worth_nothing(cloud: Running, attacker: Attacker) -> None:
    await cloud.control("PUT", "/tokens/lifetime", '{"seconds": 1}')
    try:
        vault, bus = await attacker.token("encrypt"), await attacker.token("sender_bus", BUS)
    finally:
        await cloud.control("PUT", "/tokens/lifetime", '{"seconds": 3600}')
    await asyncio.sleep(max(parts(one)[1]["exp"] for one in (vault, bus)) - time.time() + 0.1)
    assert (await attacker.vault(vault)).status == 401
    assert await attacker.put_token(bus) == (401, "amqp:unauthorized-access")


@pytest.mark.parametrize("identity", OTHERS)
async def test_no_name_leads_to_an_identity_of_another_app(
    cloud: Running, attacker: Attacker, identity: str
) -> None:
    app = "tracker" if identity == "tracker_bus" else "receiver"
    theirs = await names_of(cloud, app, identity)
    for selector, name in theirs.items():
        for written in (name, name.upper(), f" {name}", f"{name}/"):
            got = await attacker.ask_for_token(**{selector: written})
            assert got.status == 400
            assert "access_token" not in got.text
    # One's own first, another's second: what is checked is what is given.
    own = attacker.environment["RELAY_IDENTITY_ENCRYPT"]
    both = [("client_id", own), ("client_id", theirs["client_id"])]
    query = [("api-version", "2019-08-01"), ("resource", VAULT), *both]
    headers = {"X-IDENTITY-HEADER": attacker.environment["IDENTITY_HEADER"]}
    endpoint = attacker.environment["IDENTITY_ENDPOINT"]
    got = await attacker.ask("GET", endpoint, params=query, headers=headers)
    attacker.answers.pop()
    if got.status == 200:
        assert parts(got.json["access_token"])[1]["appid"] == own
    mixed = await attacker.ask_for_token(client_id=own, object_id=theirs["object_id"])
    assert mixed.status == 400


async def names_of(cloud: Running, app: str, identity: str) -> dict[str, str]:
    """Return all names of an identity, from a token that its own app gets."""
    async with Attacker.inside(cloud, app) as owner:
        claims = parts(await owner.token(identity))[1]
    return {
        "client_id": claims["appid"],
        "object_id": claims["oid"],
        "principal_id": claims["oid"],
        "mi_res_id": claims["xms_mirid"],
    }


async def test_without_the_apps_own_header_there_is_no_token(attacker: Attacker) -> None:
    own = attacker.environment["IDENTITY_HEADER"]
    client_id = attacker.environment["RELAY_IDENTITY_ENCRYPT"]
    for guess in ("", "x", own[:-1], own.swapcase(), f"{own}0", own * 100, "\u00e9" * 43):
        got = await attacker.ask_for_token(guess, client_id=client_id)
        assert got.status in {401, 403}
    elsewhere = await attacker.ask_for_token("", client_id=client_id, **{"X-IDENTITY-HEADER": own})
    assert elsewhere.status == 401
    headers = {"X-IDENTITY-HEADER": own, "Host": "rebound.example"}
    url = attacker.environment["IDENTITY_ENDPOINT"]
    assert (await attacker.ask("GET", url, headers=headers)).status == 421


def sas(rule: str, key: str, entity: str, seconds: int = 3600) -> str:
    resource = quote_plus(f"sb://partner.servicebus.windows.net/{entity}")
    expiry = int(time.time()) + seconds
    digest = hmac.digest(key.encode(), f"{resource}\n{expiry}".encode(), hashlib.sha256)
    signature = quote_plus(base64.b64encode(digest))
    return f"SharedAccessSignature sr={resource}&sig={signature}&se={expiry}&skn={rule}"


async def test_the_relays_namespace_takes_no_shared_access_signature(attacker: Attacker) -> None:
    for rule in ("RootManageSharedAccessKey", "send"):
        token = sas(rule, "a2V5", "messages")
        assert await attacker.put_token(token) == (401, "amqp:unauthorized-access")
        async with attacker.bus() as raw:
            raw.sign_in("PLAIN", f"\0{rule}\0a2V5".encode())
            outcome = await raw.until(amqp.SaslOutcome)
            assert outcome.code == 1
            assert await raw.item() is None


async def test_the_partners_key_is_good_for_sending_to_its_one_queue(
    cloud: Running, attacker: Attacker
) -> None:
    secret = json.loads((await cloud.control("GET", "/partner/secrets"))["servicebus"])
    fields = dict(one.split("=", 1) for one in secret["connection_string"].split(";"))
    rule, key, queue = fields["SharedAccessKeyName"], fields["SharedAccessKey"], secret["queue"]
    attacker.secrets.add(key)
    port = urlsplit(fields["Endpoint"]).port

    async def try_(token: str, entity: str, *, receives: bool = False) -> tuple[int, str]:
        async with attacker.bus(port, tls=False) as raw:
            raw.hello()
            raw.put_token(f"sb://partner.servicebus.windows.net/{entity}", token)
            status = await attacker.status_of_token(raw)
            return status, await attacker.attach(raw, entity, receives=receives)

    no = "amqp:unauthorized-access"
    assert await try_(sas(rule, key, queue), queue) == (202, "attached")
    assert await try_(sas(rule, key, queue), queue, receives=True) == (202, no)
    assert await try_(sas(rule, key, queue), f"{queue}2") == (401, no)
    assert await try_(sas(rule, key, "other"), queue) == (401, no)
    assert await try_(sas(rule, key, queue, seconds=-1), queue) == (401, no)
    assert await try_(sas(rule, f"{key}x", queue), queue) == (401, no)
    assert await try_(sas("other", key, queue), queue) == (401, no)


CONTROL = [
    ("GET", "/status"),
    ("GET", "/apps/receiver/environment"),
    ("GET", "/operators/operator/environment"),
    ("GET", "/partner/secrets"),
    ("GET", "/decisions"),
    ("POST", "/bus/stop"),
    ("POST", "/tokens/revoke"),
    ("PUT", "/secrets/partner/partner-connection"),
    ("PUT", "/deployment"),
    ("GET", "/no-such-thing"),
]


@pytest.mark.parametrize(("method", "path"), CONTROL)
async def test_nobody_commands_the_cloud_without_its_key(
    cloud: Running, attacker: Attacker, method: str, path: str
) -> None:
    key = (cloud.folder / "control.key").read_text()
    url = f"{cloud.endpoints['control']}{path}"
    header = attacker.environment["IDENTITY_HEADER"]
    for given in ("", "Bearer", "Bearer ", "Bearer x", f"Bearer {key[:-1]}", f"Bearer {header}"):
        got = await attacker.ask(method, url, headers={"Authorization": given}, data=b"{}")
        assert got.status == 401
    assert (await attacker.ask(method, f"{url}?key={key}", data=b"{}")).status == 401
    # A page in a browser whose name was given this machine's address: even with the key.
    rebound = {"Authorization": f"Bearer {key}", "Host": "rebound.example:7099"}
    assert (await attacker.ask(method, url, headers=rebound, data=b"{}")).status == 421


@pytest.mark.parametrize(
    "path",
    [
        "/../../../../../../etc/passwd",
        "/api/../../../../../../etc/passwd",
        "/api/messages/..%2f..%2f..%2f..%2f..%2fetc%2fpasswd",
        "/..%5c..%5cfunction_app.py",
        "/%2e%2e/%2e%2e/function_app.py",
        "//etc/passwd",
        "/function_app.py",
        "/host.json",
        "/admin/host/keys",
        "/admin/functions/send",
        "/runtime/webhooks/durabletask",
        "/api/health/../../control.key",
    ],
)
async def test_no_path_leads_out_of_an_app(cloud: Running, attacker: Attacker, path: str) -> None:
    for app in ("sender", "receiver", "tracker"):
        port = urlsplit(cloud.endpoints[app]).port
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(
            f"GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode()
        )
        async with asyncio.timeout(30):
            answer = (await reader.read()).decode()
        writer.close()
        attacker.answers.append(answer)
        assert answer.split()[1] in {"400", "401", "404"}, answer
        assert "root:" not in answer


async def test_a_token_too_large_or_too_deep_is_refused_and_the_next_one_served(
    attacker: Attacker,
) -> None:
    own = await attacker.token("sender_bus", BUS)
    large = "x" * 1_000_000
    assert await attacker.put_token(f"{own}.{large}") == (401, "amqp:unauthorized-access")
    async with attacker.bus() as raw:
        raw.hello()
        raw.attach(0, "$cbs", receives=False)
        raw.attach(1, "$cbs", receives=True)
        properties: dict[Value, Value] = {"operation": "put-token", "name": f"{AUDIENCE}/messages"}
        raw.transfer(0, encode_response(None, properties, large + large))
        state = (await raw.until(amqp.Disposition)).state
        assert state is not None
        assert isinstance(state.value, list)
        assert "amqp:link:message-size-exceeded" in str(state.value)
    for header in ("x" * 8000, "x" * 100_000):
        got = await attacker.ask(
            "GET",
            f"{attacker.cloud.endpoints['identity']}/msi/token",
            headers={"X-IDENTITY-HEADER": header},
        )
        assert got.status in {400, 403, 431}
    assert (await attacker.vault("x" * 7000)).status == 401
    assert await attacker.put_token(own) == (202, "attached")
