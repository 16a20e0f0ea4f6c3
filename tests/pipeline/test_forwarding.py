"""What becomes of a message that the partner does not take at once."""

from __future__ import annotations

import asyncio
import json
import uuid
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
from azure.servicebus import ServiceBusMessage

from shared.message.envelope import DataKey, WrappedKey, seal
from shared.message.message_id import MessageId
from shared.message.protected_header import MessageHeader
from tests.local_commands import local
from tests.pipeline.cloud_process import SNAPSHOT, Running, running, with_settings
from tests.pipeline.scenario import QUICK
from tests.pipeline.waiting import until

TEXT = "text/plain"


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """Give a cloud whose receiver tries again after a second, and gives up after three tries."""
    folder = tmp_path_factory.mktemp("cloud")
    receiver = QUICK | {"RELAY_PARTNER_TIMEOUT_SECONDS": "1"}
    with running(folder / "folder", with_settings(SNAPSHOT, folder, receiver=receiver)) as up:
        yield up


@pytest.fixture(autouse=True)
async def healed(cloud: Running) -> AsyncIterator[None]:
    yield
    await cloud.heal()


async def send(cloud: Running, payload: bytes = b"payload", key: str | None = None) -> str:
    headers = {"Idempotency-Key": key} if key else {}
    async with cloud.session() as session:
        return await cloud.send(session, payload, TEXT, **headers)


async def waited(cloud: Running, message_id: str) -> None:
    """Return once the message has waited more often than a partner that is away is tried."""

    async def so_often() -> bool:
        return cloud.logs().count(f"waits {message_id}") > 3

    await until(so_often, lambda: f"{message_id} does not wait")


async def rejected(cloud: Running, message_id: str) -> dict[str, Any]:
    """Wait until the message is rejected; return its properties, its id and its body."""

    async def among_them() -> list[dict[str, Any]] | None:
        return (await cloud.rejections()).get(message_id)

    (found,) = await until(among_them, lambda: f"{message_id} was not rejected")
    return found


@pytest.mark.parametrize(
    "fault",
    [
        {"answer": "status", "status": 503},
        {"answer": "status", "status": 500},
        {"answer": "status", "status": 404},
        {"answer": "status", "status": 410},
        {"answer": "status", "status": 408},
        {"answer": "status", "status": 425},
        {"answer": "status", "status": 429, "retry_after": "1"},
        {"answer": "hang"},
        {"answer": "close"},
        {"answer": "drop"},
    ],
    ids=str,
)
async def test_a_partner_that_is_away_gets_the_message_later(
    cloud: Running, fault: dict[str, object]
) -> None:
    await cloud.fault(service="partner", times=2, **fault)
    message_id = await send(cloud)
    got = (await cloud.received({message_id}))[message_id]
    assert (got.body, got.verified) == (b"payload", True)
    status = await cloud.control("GET", "/faults")
    assert status["faults"] == [], "both tries met the fault"


async def test_the_schedule_ends_in_rejection(cloud: Running) -> None:
    await cloud.fault(service="partner", answer="status", status=503)
    message_id = await send(cloud)
    message = await rejected(cloud, message_id)
    assert message["relay-reason"] == "retries-exhausted"
    assert message["relay-detail"] == "it answered 503"
    assert message["relay-attempts"] == "3"
    assert MessageId.parse(message["message id"]) == MessageId(message_id, hop=2)


@pytest.mark.parametrize("status", [400, 413, 415, 422])
async def test_what_the_partner_refuses_is_rejected_at_once(cloud: Running, status: int) -> None:
    await cloud.fault(service="partner", answer="status", status=status, times=1)
    message = await rejected(cloud, await send(cloud, key=f'"{uuid.uuid4()}"'))
    assert message["relay-reason"] == "partner-refused"
    assert message["relay-detail"] == f"it answered {status}"
    assert message["relay-attempts"] == "1"
    assert b"payload" not in message["body"], "it stays sealed"


async def test_a_redirect_is_not_followed(cloud: Running) -> None:
    await cloud.fault(service="partner", answer="redirect")
    message = await rejected(cloud, await send(cloud))
    assert message["relay-reason"] == "retries-exhausted"
    assert message["relay-detail"] == "it answered 307"


async def test_what_cannot_be_opened_is_rejected_with_its_reason(cloud: Running) -> None:
    key_url = (await cloud.environment("sender"))["RELAY_KEY_PAYLOAD"]
    unknown = WrappedKey(f"{key_url}/{'0' * 32}", DataKey.generate().secret)
    elsewhere = WrappedKey(f"https://elsewhere.example/keys/k/{'0' * 32}", b"key")
    token = seal(b"p", MessageHeader("unknown", TEXT), DataKey.generate(), unknown).decode()
    another_key = seal(
        b"p", MessageHeader("elsewhere", TEXT), DataKey.generate(), elsewhere
    ).decode()
    messages = {
        "garbage": ("planted garbage", "undecryptable-malformed"),
        "unknown": (token, "undecryptable-wrong-key"),
        "elsewhere": (another_key, "undecryptable-wrong-key"),
        "exchanged": (token, "undecryptable-tampered"),
    }
    async with (
        cloud.bus("sender", "sender_bus") as client,
        client.get_queue_sender("messages") as sender,
    ):
        for message_id, (body, _) in messages.items():
            await sender.send_messages(ServiceBusMessage(body, message_id=message_id))
    for message_id, (body, reason) in messages.items():
        message = await rejected(cloud, message_id)
        assert message["relay-reason"] == reason
        assert message["body"] == body.encode(), "it stays as it was"


@pytest.mark.parametrize(
    "fault",
    [
        {"vault": "payload-local", "answer": "status", "status": 429, "retry_after": "1"},
        {"vault": "payload-local", "answer": "status", "status": 500},
        {"vault": "payload-local", "answer": "drop"},
    ],
    ids=str,
)
async def test_a_vault_that_is_away_is_not_the_messages_fault(
    cloud: Running, fault: dict[str, object]
) -> None:
    await cloud.control("POST", "/apps/receiver/restart")  # so that it has no opened key
    await cloud.fault(service="vault", operation="keys/decrypt", **fault)
    message_id = await send(cloud)
    await waited(cloud, message_id)
    await cloud.heal()
    await cloud.received({message_id})


@pytest.mark.parametrize("identity", ["decrypt", "partner"])
async def test_a_grant_that_is_gone_is_not_the_messages_fault(
    cloud: Running, identity: str
) -> None:
    await cloud.control("PUT", f"/grants/{identity}/off")
    await cloud.control("POST", "/apps/receiver/restart")
    message_id = await send(cloud)
    await waited(cloud, message_id)
    await cloud.control("PUT", f"/grants/{identity}/on")
    await cloud.received({message_id})


@pytest.mark.parametrize("value", ["", "{}", '{"kind": "unset"}', '{"kind": "webhook", "url": 7}'])
async def test_a_secret_that_is_wrong_is_not_the_messages_fault(cloud: Running, value: str) -> None:
    path = f"/secrets/{cloud.vault('partner')}/partner-connection"
    right = (await cloud.control("GET", "/partner/secrets"))["webhook"]
    await cloud.control("PUT", path, value)
    await cloud.control("POST", "/apps/receiver/restart")
    message_id = await send(cloud)
    await waited(cloud, message_id)
    await cloud.control("PUT", path, right)
    await cloud.received({message_id})


@pytest.mark.parametrize("status", [401, 403])
async def test_a_partner_that_does_not_know_us_any_more_gets_it_when_it_does(
    cloud: Running, status: int
) -> None:
    await cloud.fault(service="partner", answer="status", status=status, times=5)
    await cloud.received({await send(cloud)})


async def posts(cloud: Running) -> int:
    """Return how many posts met a fault so far."""
    return int((await cloud.control("GET", "/faults"))["hits"]["partner"])


@pytest.mark.parametrize(("status", "attempts"), [(404, {1, 2, 3}), (401, {1})])
async def test_what_a_partner_answers_to_all_for_a_while_rejects_nothing(
    cloud: Running, status: int, attempts: set[int]
) -> None:
    before = await posts(cloud)
    await cloud.fault(service="partner", answer="status", status=status)
    ids = {await send(cloud) for _ in range(30)}

    async def is_open() -> bool:
        return cloud.logs().count("until further notice: it answered " + str(status)) == 1

    await until(is_open, lambda: "the log does not say that the partner is away")
    # One line of the log is all that there is of it, and a few posts.
    assert await posts(cloud) - before < 60
    await cloud.heal()
    await cloud.received(ids)
    assert not ids & (await cloud.rejections()).keys()
    for message_id in ids:
        assert (await cloud.entry(message_id, "delivered"))["attempts"] in attempts
    assert "messages that this instance has sent back are waiting" in cloud.logs()


async def test_a_message_that_alone_is_denied_is_rejected_in_the_end_and_delays_nobody(
    cloud: Running,
) -> None:
    await cloud.fault(service="partner", answer="status", status=403, body="disliked")
    disliked = await send(cloud, b"disliked")
    others = set()

    async def is_rejected() -> bool:
        others.add(await send(cloud))
        return disliked in await cloud.rejections()

    await until(is_rejected, lambda: f"{disliked} was not rejected")
    message = await rejected(cloud, disliked)
    assert message["relay-reason"] == "partner-refused"
    assert message["relay-detail"] == "it answered 403, and accepts other messages"
    assert message["relay-attempts"] == "3"
    await cloud.received(others)
    for message_id in others:
        assert (await cloud.entry(message_id, "delivered"))["attempts"] == 1


async def test_the_partner_can_be_a_queue(cloud: Running) -> None:
    path = f"/secrets/{cloud.vault('partner')}/partner-connection"
    secrets = await cloud.control("GET", "/partner/secrets")
    await cloud.control("PUT", path, secrets["servicebus"])
    await cloud.control("POST", "/apps/receiver/restart")
    try:
        message_id = await send(cloud, b"\x00 bytes \xff")

        async def in_the_queue() -> dict[str, Any] | None:
            listed = {one["id"]: one for one in await cloud.control("GET", "/partner-queue")}
            return listed.get(message_id)

        arrived = await until(in_the_queue, lambda: f"{message_id} did not arrive")
        assert arrived["content_type"] == TEXT
        assert json.dumps(arrived["body"]) == '"ACBieXRlcyD/"'
        where = ("--folder", str(cloud.folder))
        listed = await asyncio.to_thread(local, "received", "--limit", "1", *where)
        assert listed.stdout.splitlines()[1].split()[1:-1] == [
            message_id[:8],
            TEXT,
            "9",
            "-",
            "(queue)",
        ]
        shown = await asyncio.to_thread(local, "received", message_id, *where)
        assert f"id            {message_id}\n" in shown.stdout
    finally:
        await cloud.control("PUT", path, secrets["webhook"])
        await cloud.control("POST", "/apps/receiver/restart")


async def test_the_same_idempotency_key_is_the_same_message(cloud: Running) -> None:
    key = '"8e03978e-40d5-43dd-bc93-6894a57f9324"'
    ids = [await send(cloud, key=key) for _ in range(5)]
    assert len(set(ids)) == 1
    await cloud.received({ids[0], await send(cloud)})
    async with (
        cloud.session() as session,
        session.get(f"{cloud.endpoints['partner']}/received?ids") as answer,
    ):
        times = (await answer.json(content_type=None))[ids[0]]["times"]
    assert times == 1
