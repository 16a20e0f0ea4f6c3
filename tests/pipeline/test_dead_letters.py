"""What the bus gives up is not lost: receipts are recorded after all, messages wait."""

from __future__ import annotations

import asyncio
import json
import os
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from azure.servicebus import ServiceBusMessage
from azure.servicebus.amqp import AmqpAnnotatedMessage

from shared.message.receipt import Receipt
from shared.message.state import State
from tests.pipeline.cloud_process import ROOT, SNAPSHOT, Running, running, with_settings
from tests.pipeline.ops_cli import ops
from tests.pipeline.waiting import until

QUICK = {"RELAY_WAIT_SECONDS": "1"}
DEEP = b"[" * 400 + b"]" * 400
GARBAGE = [b"", b"planted", b"\xff\xfeplanted", DEEP, b'{"id": "\\ud800", "state": "delivered"}']


def fewer_deliveries(folder: Path, count: int, wait: int) -> Path:
    """Write a snapshot whose receipts the bus gives up after `count` deliveries."""
    tracker = {
        "RELAY_RECEIPT_WAIT_SECONDS": str(wait),
        "RELAY_DATABASE_SECRET_SECONDS": "1",
    }
    path = with_settings(SNAPSHOT, folder, receiver=QUICK, tracker=tracker)
    document = json.loads(path.read_text())
    (queue,) = (
        r
        for r in document["predictedResources"]
        if "/queues/receipts" in r["id"] and r["type"] == "Microsoft.ServiceBus/namespaces/queues"
    )
    queue["properties"]["maxDeliveryCount"] = count
    path.write_text(json.dumps(document))
    return path


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    folder = tmp_path_factory.mktemp("cloud")
    with running(folder / "folder", with_settings(SNAPSHOT, folder, receiver=QUICK)) as up:
        yield up


def receipt(message_id: str) -> bytes:
    return Receipt(message_id, State.DELIVERED, datetime.now(UTC), attempts=1).to_json().encode()


async def put(
    cloud: Running, queue: str, *messages: ServiceBusMessage | AmqpAnnotatedMessage
) -> None:
    identity = ("sender", "sender_bus") if queue == "messages" else ("receiver", "receiver_bus")
    async with cloud.bus(*identity) as client, client.get_queue_sender(queue) as sender:
        for message in messages:
            await sender.send_messages(message)


async def rejected(cloud: Running, count: int) -> list[dict[str, object]]:
    """Wait until so many are rejected, and return what was, oldest first."""
    found: list[dict[str, object]] = []

    async def so_many() -> bool:
        nonlocal found
        found = [one for each in (await cloud.rejections()).values() for one in each]
        return len(found) >= count

    await until(so_many, lambda: str(found))
    return sorted(found, key=lambda one: int(str(one["sequence number"])))


async def drop_all(cloud: Running) -> None:
    listed = (await ops(cloud, "rejected", "--json")).json["messages"]
    numbers = [f"#{one['sequence_number']}" for one in listed]
    assert (await ops(cloud, "drop", "--yes", *numbers)).code == 0


@pytest.mark.long
async def test_poisoned_receipts_cost_no_other_its_place(cloud: Running) -> None:
    """Also those that the host cannot bind at all, which fail their whole batch before Python."""
    await cloud.control("POST", "/apps/tracker/stop")
    good = [f"good-{n}" for n in range(30)]
    unbindable = [
        AmqpAnnotatedMessage(value_body="planted"),
        AmqpAnnotatedMessage(value_body={"planted": 1}),
        AmqpAnnotatedMessage(sequence_body=[["planted"]]),
    ]
    messages: list[ServiceBusMessage | AmqpAnnotatedMessage]
    messages = [*map(ServiceBusMessage, GARBAGE), *unbindable]
    mixed: list[ServiceBusMessage | AmqpAnnotatedMessage] = []
    for n, name in enumerate(good):
        mixed += [ServiceBusMessage(receipt(name)), *messages[n : n + 1]]
    await put(cloud, "receipts", *mixed)
    await cloud.control("POST", "/apps/tracker/start")
    for name in good:
        assert (await cloud.entry(name, "delivered"))["attempts"] == 1
    found = await rejected(cloud, len(messages))
    reasons = [one.get("relay-reason") or one["DeadLetterReason"] for one in found]
    assert sorted(map(str, reasons)) == sorted(
        ["not-a-receipt"] * len(GARBAGE) + ["MaxDeliveryCountExceeded"] * len(unbindable)
    )
    ours = [one["body"] for one in found if "relay-reason" in one]
    assert sorted(map(bytes, ours)) == sorted(GARBAGE)  # type: ignore[arg-type]
    for queue in ("receipts", "dead-letters"):
        await cloud.queued(queue, 0)
        assert (await cloud.counts(queue))["dead_lettered"] == 0
    assert "planted" not in cloud.logs()
    again = await ops(cloud, "replay", "--all")
    assert again.code == 1
    assert again.err.count("is not a receipt: ") == len(GARBAGE)
    assert again.err.count("it is neither a sealed message nor a receipt; drop it") == len(
        unbindable
    )
    assert "planted" not in again.out + again.err
    await drop_all(cloud)


@pytest.mark.parametrize(
    "size",
    [pytest.param(1, marks=pytest.mark.long), 300, pytest.param(180_000, marks=pytest.mark.long)],
)
async def test_random_bytes_are_rejected_as_they_came(cloud: Running, size: int) -> None:
    body = os.urandom(size)
    await put(cloud, "messages", ServiceBusMessage(body, message_id=f"random-{size}"))
    (found,) = await rejected(cloud, 1)
    assert found["body"] == body
    assert found["relay-reason"] == "undecryptable-malformed"
    await drop_all(cloud)


@pytest.mark.long
async def test_a_message_that_the_host_cannot_bind_ends_with_the_buses_reason(
    cloud: Running,
) -> None:
    await put(cloud, "messages", AmqpAnnotatedMessage(value_body={"planted": 1}))
    (found,) = await rejected(cloud, 1)
    assert found["DeadLetterReason"] == "MaxDeliveryCountExceeded"
    assert (await ops(cloud, "rejected")).out.count("MaxDeliveryCountExceeded") == 1
    again = await ops(cloud, "replay", "--all")
    assert again.code == 1
    assert "its body is not made of bytes" in again.err
    await drop_all(cloud)


async def given_up(cloud: Running, queue: str, reason: str) -> None:
    """Dead-letter what is on a queue, as the bus does it by itself."""
    identity = ("receiver", "receiver_bus") if queue == "messages" else ("tracker", "tracker_bus")
    async with cloud.bus(*identity) as client, client.get_queue_receiver(queue) as receiver:
        for message in await receiver.receive_messages(100, max_wait_time=5):
            await receiver.dead_letter_message(message, reason=reason, error_description="Why.")


async def test_a_dead_lettered_message_is_recorded_in_the_ledger_and_can_be_replayed(
    cloud: Running,
) -> None:
    await cloud.control("POST", "/apps/receiver/stop")
    async with cloud.session() as session:
        message_id = await cloud.send(session, b"payload", "text/plain")
    forged = Receipt("forged", State.DELIVERED, datetime.now(UTC)).to_json()
    await put(
        cloud,
        "messages",
        ServiceBusMessage(forged, message_id="forged"),
        ServiceBusMessage(b"garbage", message_id=f"{message_id}.7"),
    )
    await given_up(cloud, "messages", "MaxDeliveryCountExceeded")
    await cloud.control("POST", "/apps/receiver/start")
    entry = await cloud.entry(message_id, "rejected")
    assert entry["detail"] == "MaxDeliveryCountExceeded: Why.; dead-lettered from messages"
    found = await rejected(cloud, 3)
    assert {one["relay-reason"] for one in found} == {"MaxDeliveryCountExceeded"}
    assert (await cloud.ledger("/forged"))[0] == 404
    numbers = {one["message id"]: one["sequence number"] for one in found}
    assert (await ops(cloud, "replay", f"#{numbers[message_id]}")).code == 0
    assert (await cloud.received({message_id}))[message_id].body == b"payload"
    await cloud.entry(message_id, "delivered")
    await drop_all(cloud)


async def test_garbage_under_the_id_of_another_moves_no_row(cloud: Running) -> None:
    await cloud.control("POST", "/apps/receiver/stop")
    async with cloud.session() as session:
        message_id = await cloud.send(session, b"payload", "text/plain")
    async with (
        cloud.bus("receiver", "receiver_bus") as client,
        client.get_queue_receiver("messages") as receiver,
    ):
        (sealed,) = await receiver.receive_messages(1, max_wait_time=5)
        await put(cloud, "messages", ServiceBusMessage(b"x", message_id=f"{message_id}.9"))
        (garbage,) = await receiver.receive_messages(1, max_wait_time=5)
        await receiver.dead_letter_message(garbage, reason="TTLExpiredException")
        await cloud.control("POST", "/apps/receiver/start")
        (found,) = await rejected(cloud, 1)
        assert found["relay-reason"] == "TTLExpiredException"
        assert (await cloud.ledger(f"/{message_id}"))[1]["state"] == "queued"
        await receiver.abandon_message(sealed)
    await cloud.entry(message_id, "delivered")
    await drop_all(cloud)


@pytest.mark.long
async def test_a_receipt_in_rejected_is_listed_replayed_and_dropped(cloud: Running) -> None:
    await cloud.control("POST", "/apps/tracker/stop")
    bodies = [receipt(f"late-{n}") for n in range(3)]
    used_up = [
        ServiceBusMessage(body, application_properties={"relay-returns": "200"}) for body in bodies
    ]
    await put(cloud, "receipts", *used_up)
    await given_up(cloud, "receipts", "MaxDeliveryCountExceeded")
    found = await rejected(cloud, 3)
    assert [one["body"] for one in found] == bodies
    listed = (await ops(cloud, "rejected", "--json")).json["messages"]
    assert [(one["id"], one["kind"], one["reason"]) for one in listed] == [
        (f"late-{n}", "receipt", "receipt-not-recorded") for n in range(3)
    ]
    assert "returned 200 times; MaxDeliveryCountExceeded: Why." in str(listed[0]["detail"])
    await cloud.control("POST", "/apps/tracker/start")
    assert (await ops(cloud, "drop", "late-2", "--yes")).code == 0
    assert (await ops(cloud, "replay", "late-0")).code == 0
    assert (await ops(cloud, "replay", "--all", "--reason", "receipt-not-recorded")).code == 0
    for n in range(2):
        await cloud.entry(f"late-{n}", "delivered")
    assert (await cloud.ledger("/late-2"))[0] == 404
    assert not (await cloud.rejections())


@pytest.mark.long
async def test_a_database_that_stays_away_for_many_rounds_costs_no_receipt(tmp_path: Path) -> None:
    """A receipt is given up every two seconds, and comes back each time."""
    with running(tmp_path / "folder", fewer_deliveries(tmp_path, count=2, wait=1)) as cloud:
        database = f"sqlite+aiosqlite:///{cloud.folder / 'database.sqlite3'}"
        async with cloud.session() as session:
            first = await cloud.send(session, b"first", "text/plain")
            await cloud.entry(first, "delivered")
        await cloud.control("POST", "/apps/tracker/stop")
        ids = [f"waiting-{n}" for n in range(40)]
        await put(cloud, "receipts", *(ServiceBusMessage(receipt(one)) for one in ids))
        await cloud.database("postgresql+asyncpg://u:planted@127.0.0.1:9/x?ssl=disable")
        await cloud.control("POST", "/apps/tracker/start")
        patience = time.monotonic() + 300
        while cloud.logs().count("Executing 'Functions.triage'") < 120:
            assert time.monotonic() < patience, "the bus did not give up often enough"
            await asyncio.sleep(0.2)
        await cloud.database(database)
        for one in ids:
            await cloud.entry(one, "delivered")
        await cloud.queued("receipts", 0)
        assert await cloud.rejections() == {}
        logs = cloud.logs()
        assert logs.count("the ledger is away") + logs.count("the ledger refuses") <= 2
        assert "planted" not in logs


@pytest.mark.long
async def test_a_cloud_says_which_settings_are_wrong(tmp_path: Path) -> None:
    snapshot = with_settings(SNAPSHOT, tmp_path, tracker={"RELAY_RECEIPT_WAIT_SECONDS": "planted"})
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "local", "up", "--free-ports"),
        *("--folder", str(tmp_path / "folder"), "--snapshot", str(snapshot)),
        cwd=ROOT,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, err = await asyncio.wait_for(process.communicate(), 90)
    assert process.returncode
    assert "app 'tracker' does not run: RELAY_RECEIPT_WAIT_SECONDS must be a whole" in err.decode()
    assert b"planted" not in out + err
