"""What becomes of messages whose receipts, or retries, cannot be sent."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest
from azure.servicebus import ServiceBusMessage

from shared.message.receipt import Receipt
from shared.message.state import State
from tests.pipeline.cloud_process import SNAPSHOT, Running, running, with_settings
from tests.pipeline.waiting import until


@contextmanager
def without_right_to_send(queue: str, folder: Path, **receiver: str) -> Iterator[Running]:
    """Start a cloud whose receiver may not send to a queue, and never could."""
    path = with_settings(SNAPSHOT, folder, receiver={"RELAY_WAIT_SECONDS": "1", **receiver})
    document = json.loads(path.read_text())
    resources = document["predictedResources"]
    (right,) = (r for r in resources if f"queues/{queue}'" in r["id"] and sends(r))
    resources.remove(right)
    less = folder / "less.snapshot.json"
    less.write_text(json.dumps(document))
    with running(folder / "folder", less) as up:
        yield up


def sends(resource: dict[str, str]) -> bool:
    sender_role = "69a216fc-b8fb-44d8-bc22-1f3c2cd27a39"
    text = json.dumps(resource)
    return (
        resource["type"] == "Microsoft.Authorization/roleAssignments"
        and sender_role in text
        and "userAssignedIdentities/receiver_bus-" in text
    )


async def send(cloud: Running) -> str:
    async with cloud.session() as session:
        return await cloud.send(session, b"x", "a/b")


async def test_a_receipt_that_cannot_be_sent_stays_pending_and_the_delivery_is_not_repeated(
    tmp_path: Path,
) -> None:
    with without_right_to_send("receipts", tmp_path) as cloud:
        message_id = await send(cloud)
        await cloud.received({message_id})
        await waits_for_its_receipt(cloud, message_id)
        assert (await cloud.entry(message_id, "queued"))["times"].keys() == {"accepted", "queued"}
        whole = with_settings(SNAPSHOT, tmp_path, receiver={"RELAY_WAIT_SECONDS": "1"})
        await cloud.control("PUT", "/deployment", whole.read_text())
        assert (await cloud.entry(message_id, "delivered"))["size"] == 1
        assert len((await cloud.deliveries())[1]) == 1


@pytest.mark.long
async def test_a_rejection_whose_receipt_is_pending_is_not_repeated(tmp_path: Path) -> None:
    with without_right_to_send("receipts", tmp_path) as cloud:
        await cloud.fault(service="partner", answer="status", status=400)
        message_id = await send(cloud)
        await waits_for_its_receipt(cloud, message_id)
        whole = with_settings(SNAPSHOT, tmp_path, receiver={"RELAY_WAIT_SECONDS": "1"})
        await cloud.control("PUT", "/deployment", whole.read_text())
        entry = await cloud.entry(message_id, "rejected")
        assert entry["detail"] == "partner-refused: it answered 400"
        assert len((await cloud.rejections())[message_id]) == 1


@pytest.mark.long
async def test_what_is_no_receipt_keeps_no_other_from_being_written(tmp_path: Path) -> None:
    with running(tmp_path / "folder", SNAPSHOT) as cloud:
        await cloud.control("POST", "/apps/tracker/stop")
        good = Receipt("good", State.DELIVERED, datetime.now(UTC), attempts=1).to_json()
        bodies = ["planted", good, '{"id": "old", "state": "delivered", "at": "0500-01-01"}']
        async with (
            cloud.bus("receiver", "receiver_bus") as client,
            client.get_queue_sender("receipts") as sender,
        ):
            await sender.send_messages([ServiceBusMessage(body) for body in bodies])
        await cloud.control("POST", "/apps/tracker/start")
        assert (await cloud.entry("good", "delivered"))["attempts"] == 1
        await cloud.emptied("receipts")
        logs = cloud.logs()
        assert logs.count("rejected what is not a receipt") == 2
        assert "planted" not in logs
        assert (await cloud.ledger("?limit=5"))[0] == 200


async def waits_for_its_receipt(cloud: Running, message_id: str) -> None:
    """Return once it has come back without another delivery, and waits again."""

    async def again() -> bool:
        return cloud.logs().count(f"no receipt for {message_id} yet") > 1

    await until(again, lambda: f"{message_id} does not wait")


async def test_the_ledger_hears_of_what_is_delivered_too_often(tmp_path: Path) -> None:
    """A message whose receiver ends each time is not rejected in silence."""
    path = with_settings(SNAPSHOT, tmp_path, receiver={"RELAY_MAX_DELIVERIES": "3"})
    with running(tmp_path / "folder", path) as cloud:
        await cloud.fault(service="partner", answer="hang")
        message_id = await send(cloud)
        for times in (1, 2):

            async def at_the_partner(times: int = times) -> bool:
                return int((await cloud.control("GET", "/faults"))["hits"]["partner"]) >= times

            await until(at_the_partner, lambda: "the partner was not asked again")
            await cloud.control("POST", "/apps/receiver/kill")
            # Past the lock, which nobody gives back.
            await cloud.control("PUT", "/bus/clock", json.dumps({"ahead": 400 * times}))
            await cloud.control("POST", "/apps/receiver/start")
        entry = await cloud.entry(message_id, "rejected")
        assert entry["detail"] == (
            "max-deliveries-exceeded: delivery 3 of at most 3, after 2 without an outcome"
        )
        (rejected,) = (await cloud.rejections())[message_id]
        assert rejected["relay-reason"] == "max-deliveries-exceeded"
