"""Faults set in a cloud that is up: by its control endpoint, and by the command."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from azure.core.rest import HttpRequest
from azure.keyvault.keys.aio import KeyClient
from azure.servicebus import ServiceBusMessage
from azure.servicebus.exceptions import ServiceBusError

from tests.local_commands import Ended, local
from tests.pipeline.cloud_process import Running

FAR = datetime(2099, 1, 1, tzinfo=UTC)
USUAL = {
    "faults": [],
    "hits": {"partner": 0, "vault": 0, "identity": 0, "bus": 0},
    "grants_off": [],
    "token_seconds": 3600,
}


@pytest.fixture(autouse=True)
async def made_well(cloud: Running) -> AsyncIterator[None]:
    """Leave nothing broken for the next test."""
    yield
    await cloud.heal()


def command(cloud: Running, *arguments: str) -> Ended:
    return local("fault", *arguments, "--folder", str(cloud.folder))


async def set_fault(cloud: Running, **fault: Any) -> int:
    answer = await cloud.control("POST", "/faults", json.dumps(fault))
    return int(answer["fault"])


async def ask(cloud: Running, method: str, path: str, body: str = "") -> tuple[int, str]:
    """Ask the control endpoint for what it may refuse."""
    key = (cloud.folder / "control.key").read_text()
    headers = {"Authorization": f"Bearer {key}"}
    url = f"{cloud.endpoints['control']}{path}"
    async with (
        cloud.session() as session,
        session.request(method, url, headers=headers, data=body) as answer,
    ):
        return answer.status, str((await answer.json()).get("error"))


async def encrypt(cloud: Running) -> int:
    """Encrypt under the sender's identity, with a credential that has cached no token yet."""
    url = cloud.endpoints["vaults"][cloud.vault("payload")]
    async with (
        await cloud.credential("sender", "encrypt") as credential,
        KeyClient(
            *(url, credential),
            verify_challenge_resource=False,
            connection_verify=cloud.ca,
            retry_total=0,
        ) as client,
    ):
        body = {"alg": "RSA-OAEP-256", "value": "AAAA"}
        answer = await client.send_request(HttpRequest("POST", "keys/payload//encrypt", json=body))
        return int(answer.status_code)


async def eventually(condition: Callable[[], Awaitable[bool]]) -> None:
    patience = time.monotonic() + 20
    while not await condition():
        assert time.monotonic() < patience
        await asyncio.sleep(0.05)


async def test_at_first_nothing_is_wrong(cloud: Running) -> None:
    assert await cloud.control("GET", "/faults") == USUAL
    status = await cloud.control("GET", "/status")
    assert USUAL.items() <= status.items()


async def test_the_partner_answers_with_the_fault(cloud: Running) -> None:
    number = await set_fault(cloud, service="partner", answer="status", status=418, id="marked")
    async with cloud.session() as session:
        url = f"{cloud.endpoints['partner']}/messages"
        for message_id, expected in (("is-marked", 418), ("other", 401)):
            async with session.post(url, headers={"webhook-id": message_id}) as answer:
                assert answer.status == expected
    [shown] = (await cloud.control("GET", "/faults"))["faults"]
    assert (shown["fault"], shown["hits"], shown["id"]) == (number, 1, "marked")
    assert await cloud.control("DELETE", f"/faults/{number}") == {"cleared": 1, "hits": 1}
    assert (await ask(cloud, "DELETE", f"/faults/{number}"))[0] == 409


async def test_a_vault_answers_with_the_fault(cloud: Running) -> None:
    vault = cloud.vault("payload")
    await set_fault(
        cloud, service="vault", answer="status", status=429, vault=vault, operation="encrypt"
    )
    await set_fault(cloud, service="partner", answer="hang")
    assert await encrypt(cloud) == 429
    assert await cloud.control("DELETE", "/faults?service=partner") == {"cleared": 1}
    assert await encrypt(cloud) == 429
    assert await cloud.control("DELETE", "/faults") == {"cleared": 1}
    assert await encrypt(cloud) == 200


async def test_a_message_arrives_once_after_the_partner_answers_again(cloud: Running) -> None:
    await set_fault(
        cloud, service="partner", answer="drop", deliver_first=True, body="played", times=1
    )
    async with cloud.session() as session:
        message_id = await cloud.send(session, b"played", "a/b")

        async def twice() -> bool:
            async with session.get(f"{cloud.endpoints['partner']}/received?ids") as answer:
                taken = await answer.json()
            return bool(taken.get(message_id, {}).get("times") == 2)

        await eventually(twice)


async def test_grants_are_suspended_and_restored(cloud: Running) -> None:
    assert await encrypt(cloud) == 200
    await cloud.control("PUT", "/grants/encrypt/off")
    assert (await cloud.control("GET", "/faults"))["grants_off"] == ["encrypt"]
    assert await encrypt(cloud) == 403
    await cloud.control("PUT", "/deployment", cloud.snapshot.read_text())
    assert await encrypt(cloud) == 403
    await cloud.control("PUT", "/grants/encrypt/on")
    assert await encrypt(cloud) == 200


async def test_grants_on_the_bus_are_suspended_and_restored(cloud: Running) -> None:
    async def send() -> None:
        # Far in the future, so that nobody takes it for a message.
        async with (
            cloud.bus("receiver", "receiver_bus") as client,
            client.get_queue_sender("retries") as sender,
        ):
            await sender.schedule_messages(ServiceBusMessage("x"), FAR)

    await cloud.control("PUT", "/grants/receiver_bus/off")
    with pytest.raises(ServiceBusError):
        await send()
    await cloud.control("PUT", "/grants/receiver_bus/on")
    await send()


@pytest.mark.parametrize("how", ["drop", "cut"])
async def test_connections_of_the_bus_are_broken_and_made_again(cloud: Running, how: str) -> None:
    async with (
        cloud.bus("sender", "sender_bus") as client,
        client.get_queue_sender("messages") as sender,
    ):
        assert await cloud.control("POST", f"/bus/{how}") == {"bus": how}
        with pytest.raises(ServiceBusError):
            await sender.send_messages(ServiceBusMessage("x"))
    async with cloud.session() as session:
        message_id = await cloud.send(session, b"after", "a/b")
    assert (await cloud.received({message_id}))[message_id].body == b"after"


async def test_clearing_leaves_whole_what_was_not_cut_yet(cloud: Running) -> None:
    async with (
        cloud.bus("sender", "sender_bus") as client,
        client.get_queue_sender("messages") as sender,
    ):
        await sender.send_messages(ServiceBusMessage("x"))
        await cloud.control("POST", "/bus/cut")
        await cloud.control("DELETE", "/faults?service=partner")
        with pytest.raises(ServiceBusError):
            await sender.send_messages(ServiceBusMessage("x"))
    async with (
        cloud.bus("sender", "sender_bus") as client,
        client.get_queue_sender("messages") as sender,
    ):
        await sender.send_messages(ServiceBusMessage("x"))
        await cloud.control("POST", "/bus/cut")
        assert command(cloud, "clear").returncode == 0
        await sender.send_messages(ServiceBusMessage("x"))


@pytest.mark.parametrize(
    ("method", "path", "body", "named"),
    [
        ("POST", "/faults", "no JSON", "JSON"),
        ("POST", "/faults", "[]", "object"),
        ("POST", "/faults", '{"service": "disk", "answer": "hang"}', "partner, vault, identity"),
        (
            "POST",
            "/faults",
            '{"service": "vault", "answer": "hang", "vault": "x"}',
            "payload-local",
        ),
        ("DELETE", "/faults?service=disk", "", "partner, vault, identity"),
        ("DELETE", "/faults/77", "", "77"),
        ("PUT", "/grants/nobody/off", "", "decrypt"),
        ("PUT", "/tokens/lifetime", "[]", "must be an object"),
        ("PUT", "/tokens/lifetime", '{"seconds": 0}', "86400"),
        ("PUT", "/tokens/lifetime", '{"seconds": true}', "whole number"),
    ],
)
async def test_what_cannot_be_played_is_refused_by_name(
    cloud: Running, method: str, path: str, body: str, named: str
) -> None:
    status, error = await ask(cloud, method, path, body)
    assert status == 409
    assert named in error


@pytest.mark.parametrize("state", ["full", "disabled", "send-disabled", "throttled"])
async def test_a_caller_is_asked_to_come_again_while_the_queue_takes_nothing(
    cloud: Running, state: str
) -> None:
    assert command(cloud, "set", "bus", state, "--queue", "messages").returncode == 0
    url = f"{cloud.endpoints['sender']}/api/messages"
    async with cloud.session() as session:
        async with session.post(url, data=b"full") as answer:
            assert answer.status == 503
            assert int(answer.headers["Retry-After"]) > 0
        await cloud.heal()
        message_id = await cloud.send(session, b"full", "a/b")
    assert (await cloud.received({message_id}))[message_id].body == b"full"


@pytest.mark.parametrize("state", ["full", "disabled", "send-disabled", "throttled"])
async def test_a_message_is_held_while_the_queue_of_retries_takes_nothing(
    cloud: Running, state: str
) -> None:
    before = (await cloud.control("GET", "/faults"))["hits"]
    await set_fault(cloud, service="bus", answer=state, queue="retries")
    await set_fault(cloud, service="partner", answer="status", status=503, body="held")
    async with cloud.session() as session:
        message_id = await cloud.send(session, b"held", "a/b")

    async def hits(service: str) -> int:
        return int((await cloud.control("GET", "/faults"))["hits"][service]) - int(before[service])

    async def is_refused_again() -> bool:
        return await hits("bus") >= 4

    await eventually(is_refused_again)
    assert await hits("partner") == 1, "the outcome is kept, and the partner not asked again"
    await cloud.heal()
    assert (await cloud.received({message_id}))[message_id].body == b"held"


def test_the_command_sets_shows_and_clears(cloud: Running) -> None:
    options = ("--retry-after", "5", "--times", "9", "--probability", "0.5", "--seed", "7")
    done = command(cloud, "set", "partner", "status", "429", *options, "--id", "no-such-id")
    assert done.returncode == 0, done.stderr
    number = done.stdout.split()[1]
    assert command(cloud, "grants", "decrypt", "off").returncode == 0
    assert command(cloud, "tokens", "--seconds", "600").returncode == 0
    listed = command(cloud, "list").stdout
    for part in (
        f"{number}  partner status  status 429  retry_after 5  times 9  probability 0.5  seed 7",
        "grants   decrypt off",
        "tokens   lifetime 600 s",
    ):
        assert part in listed
    assert command(cloud, "clear", number).returncode == 0
    assert command(cloud, "clear", number).returncode == 1
    assert command(cloud, "clear").returncode == 0
    assert "no fault is in force" in command(cloud, "list").stdout


@pytest.mark.parametrize(
    ("arguments", "code", "named"),
    [
        (("set", "vault", "hang", "--vault", "x"), 1, "there is no vault 'x'"),
        (("set", "bus", "full", "--queue", "x"), 1, "there is no queue 'x' here; known: "),
        (("set", "bus", "hang"), 1, "a service over HTTP"),
        (("set", "partner", "status"), 1, "status is missing"),
        (("set", "partner", "explode"), 2, "invalid choice"),
        (("grants", "nobody", "off"), 1, "there is no identity 'nobody'"),
        (("tokens", "--seconds", "0"), 1, "from 1 to 86400"),
    ],
)
def test_the_command_says_what_is_wrong(
    cloud: Running, arguments: tuple[str, ...], code: int, named: str
) -> None:
    refused = command(cloud, *arguments)
    assert refused.returncode == code
    assert named in refused.stderr


# Last, because the apps keep the tokens that are revoked here until their time is over.
async def test_tokens_live_as_long_as_configured_and_can_be_revoked(cloud: Running) -> None:
    await cloud.control("PUT", "/tokens/lifetime", json.dumps({"seconds": 30}))
    async with await cloud.credential("sender", "encrypt") as credential:
        token = await credential.get_token("https://vault.azure.net/.default")
    assert token.expires_on - time.time() <= 30
    assert await get_with(cloud, token.token) == 403
    await cloud.control("POST", "/tokens/revoke")
    assert await get_with(cloud, token.token) == 401
    assert await encrypt(cloud) == 200


async def get_with(cloud: Running, token: str) -> int:
    """Ask for a secret that nobody of the sender may read."""
    url = f"{cloud.endpoints['vaults'][cloud.vault('partner')]}secrets/x?api-version=7.4"
    headers = {"Authorization": f"Bearer {token}"}
    async with cloud.session() as session, session.get(url, headers=headers) as answer:
        return answer.status
