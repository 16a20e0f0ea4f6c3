"""Each function does its work when Azure's worker library calls it, against a cloud that is up."""

from __future__ import annotations

import asyncio
import random
import uuid
from datetime import UTC, datetime
from pathlib import Path

import pytest
from azure.servicebus import ServiceBusMessage, ServiceBusReceivedMessage

from shared.message.bus_message import receipts_message
from shared.message.envelope import SealedMessage
from shared.message.receipt import Receipt
from shared.message.state import State
from tests import jose
from tests.pipeline.cloud_process import Running
from tests.worker.azure_worker import running
from tests.worker.playing import APPS, app, deliver, give_up, main_job, put, stop_apps, taken

LARGEST = 190_000
PNG = b"\x89PNG\r\n\x1a\n" + bytes(range(256))
MOST_DELIVERIES = 9


@pytest.fixture(autouse=True)
async def alone(cloud: Running) -> None:
    """Stop the cloud's own apps: this test plays them."""
    await stop_apps(cloud)


async def opened(cloud: Running, message: ServiceBusReceivedMessage) -> bytes:
    token = b"".join(message.body).decode()
    version = SealedMessage.from_token(token).wrapped.key_id.rpartition("/")[2]
    return jose.open_by_jwcrypto(token, cloud.private_key(version))


async def test_send(cloud: Running, folder: Path, tmp_path: Path) -> None:
    largest = random.Random(1).randbytes(LARGEST)  # noqa: S311 - repeatable, and no secret
    payloads = [(b'{"a": 1}', "application/json"), (PNG, "image/png"), (largest, "a/b")]
    async with app(cloud, folder, "sender", tmp_path / "log") as worker:
        for payload, content_type in payloads:
            answer = await worker.http("send", "POST", payload, content_type=content_type)
            assert answer.status == 202, answer
            assert answer.headers["location"].endswith(f"/api/messages/{answer.json['id']}")
            async with taken(cloud, "messages", 1) as (message,):
                assert await opened(cloud, message) == payload
                assert message.message_id == answer.json["id"]
        for payload, status in ((b"", 400), (largest + b"x", 413)):
            answer = await worker.http("send", "POST", payload)
            assert (answer.status, answer.headers["content-type"]) == (
                status,
                "application/problem+json",
            )


async def test_send_with_an_idempotency_key(cloud: Running, folder: Path, tmp_path: Path) -> None:
    key, other = f'"{uuid.uuid4()}"', f'"{uuid.uuid4()}"'
    async with app(cloud, folder, "sender", tmp_path / "log") as worker:
        first = await worker.http("send", "POST", b"x", idempotency_key=key)
        again = await worker.http("send", "POST", b"x", idempotency_key=key)
        apart = await worker.http("send", "POST", b"x", idempotency_key=other)
        wrong = await worker.http("send", "POST", b"y", idempotency_key=key)
    assert [one.status for one in (first, again, apart, wrong)] == [202, 202, 202, 422]
    assert first.json["id"] == again.json["id"] != apart.json["id"]
    async with taken(cloud, "messages", 2):
        assert (await cloud.counts("messages"))["active"] == 0


async def test_receive_a_sealed_message_and_record_what_became_of_it(
    cloud: Running, folder: Path, tmp_path: Path
) -> None:
    await main_job(cloud, folder, tmp_path)


async def test_receive_what_can_never_be_delivered(
    cloud: Running, folder: Path, tmp_path: Path
) -> None:
    garbage = random.Random(2).randbytes(300)  # noqa: S311 - repeatable, and no secret
    strange, often = str(uuid.uuid4()), str(uuid.uuid4())
    async with app(cloud, folder, "receiver", tmp_path / "log") as worker:
        await put(cloud, "messages", ServiceBusMessage(garbage, message_id=strange))
        async with taken(cloud, "messages", 1) as (message,):
            assert (await worker.receive(message)).ok
        await put(cloud, "messages", ServiceBusMessage(garbage, message_id=often))
        await deliver(cloud, "messages", MOST_DELIVERIES - 1)
        async with taken(cloud, "messages", 1) as (message,):
            assert (await worker.receive(message)).ok
    rejected = await cloud.rejections()
    assert [one["body"] for one in rejected[strange]] == [garbage]
    assert rejected[strange][0]["relay-reason"] == "undecryptable-malformed"
    assert [one["body"] for one in rejected[often]] == [garbage]
    # Deliveries alone say nothing of what became of them: no process ended in it.
    assert rejected[often][0]["relay-reason"] == "undecryptable-malformed"
    async with taken(cloud, "receipts", 2):
        pass


async def test_triage(cloud: Running, folder: Path, tmp_path: Path) -> None:
    message_id, receipt_of = str(uuid.uuid4()), str(uuid.uuid4())
    async with app(cloud, folder, "receiver", tmp_path / "log") as worker:
        await put(cloud, "messages", ServiceBusMessage(b"\xff", message_id=message_id))
        await give_up(cloud, "messages", "planted-reason")
        async with taken(cloud, "dead-letters", 1) as (letter,):
            assert (await worker.triage(letter)).ok
        await put(cloud, "receipts", delivered(receipt_of))
        await give_up(cloud, "receipts", "MaxDeliveryCountExceeded")
        async with taken(cloud, "dead-letters", 1) as (letter,):
            assert (await worker.triage(letter)).ok
    (rejected,) = (await cloud.rejections())[message_id]
    assert (rejected["body"], rejected["relay-reason"]) == (b"\xff", "planted-reason")
    async with taken(cloud, "receipts", 1) as (receipt,):
        assert Receipt.from_json(b"".join(receipt.body)).message_id == receipt_of


def delivered(*message_ids: str) -> ServiceBusMessage:
    lines = [
        Receipt(one, State.DELIVERED, datetime.now(UTC), attempts=1).to_json()
        for one in message_ids
    ]
    return receipts_message(lines)


async def test_record_and_ask(cloud: Running, folder: Path, tmp_path: Path) -> None:
    ids = [str(uuid.uuid4()) for _ in range(11)]
    poison = [b"", b"planted", b"\xff\xfe", b"[" * 400, b'{"id": 1}']
    async with app(cloud, folder, "tracker", tmp_path / "log") as worker:
        await put(cloud, "receipts", delivered(ids[0]))
        async with taken(cloud, "receipts", 1) as batch:
            assert (await worker.record(*batch)).ok
        await put(cloud, "receipts", *map(delivered, ids[1:4]))
        async with taken(cloud, "receipts", 3) as batch:
            assert (await worker.record(*batch)).ok
        # Without an id or a content type: of a batch, the host gives texts to the wrong messages.
        between = [ServiceBusMessage(body, message_id="", content_type="") for body in poison]
        good = [*map(delivered, ids[5:8]), delivered(*ids[8:])]
        await put(cloud, "receipts", delivered(ids[4]), *between, *good)
        async with taken(cloud, "receipts", 1 + len(between) + len(good)) as batch:
            assert (await worker.record(*batch)).ok
        for one in ids:
            answer = await worker.http("status", params={"id": one})
            assert (answer.status, answer.json["state"]) == (200, "delivered")
        assert (await worker.http("status", params={"id": str(uuid.uuid4())})).status == 404
        page = (await worker.http("messages", query={"state": "delivered", "limit": "5"})).json
        assert len(page["messages"]) == 5
        assert page["next"]
        assert (await worker.http("messages", query={"limit": "0"})).status == 400
    assert "planted" not in (tmp_path / "log").read_text()


@pytest.mark.parametrize("name", APPS)
async def test_health_and_access(cloud: Running, folder: Path, tmp_path: Path, name: str) -> None:
    async with app(cloud, folder, name, tmp_path / "log") as worker:
        answer = await worker.http("health")
        assert (answer.status, answer.json) == (200, {"status": "ok", "apps": [name]})
        answer = await worker.http("access")
    assert (answer.status, answer.json["app"]) == (200, name)
    assert {one["verdict"] for one in answer.json["findings"]} == {"as declared"}


async def test_all_three_in_one(cloud: Running, folder: Path, tmp_path: Path) -> None:
    settings: dict[str, str] = {}
    for name in APPS:
        settings |= await cloud.environment(name)
    # The rights of one process are those of one app: the sender's, which is given last.
    settings |= await cloud.environment("sender") | {"RELAY_APP": ",".join(APPS)}
    async with running(folder, settings, tmp_path / "log") as worker:
        assert (await worker.http("health")).json["apps"] == list(APPS)
        assert (await worker.http("send", "POST", b"x")).status == 202
        async with taken(cloud, "messages", 1) as (message,):
            # Nothing is completed that was not done: without the right to send on, it is held.
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(worker.receive(message), 10)
