"""What expires on its way, or is received too often, ends where an operator's commands reach it."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest
from azure.servicebus import ServiceBusMessage, ServiceBusSubQueue
from azure.servicebus.exceptions import ServiceBusAuthorizationError

from shared.access.declaration import FILE, Declaration
from tests.pipeline.cloud_process import Running
from tests.pipeline.ops_cli import PLANTED, TRACE, message, ops, reject, taken, waiting

pytestmark = pytest.mark.long

BRIEF = timedelta(milliseconds=1)


async def plant(cloud: Running, *message_ids: str) -> None:
    """Send to `messages` what expires there, in `dead-letters` and in `rejected`."""
    async with (
        cloud.bus("sender", "sender_bus") as client,
        client.get_queue_sender("messages") as sender,
    ):
        for message_id in message_ids:
            planted = ServiceBusMessage(
                PLANTED,
                message_id=message_id,
                time_to_live=BRIEF,
                application_properties={
                    "relay-reason": "forged",
                    "relay-kind": "receipt",
                    "relay-attempts": "7",
                    "traceparent": TRACE,
                },
            )
            await sender.send_messages(planted)
    async with asyncio.timeout(30):
        while (await cloud.counts("rejected"))["dead_lettered"] < len(message_ids):  # noqa: ASYNC110
            await asyncio.sleep(0.05)


async def test_what_expires_everywhere_is_listed_replayed_and_dropped(still: Running) -> None:
    await reject(still, [message("beside")])
    await plant(still, "one", "two", "three")
    shown = await ops(still, "rejected", "--json")
    beside, *expired = shown.json["messages"]
    assert beside["id"] == "beside"
    assert "dead_lettered" not in beside
    assert [one["id"] for one in expired] == ["one", "two", "three"]
    for one in expired:
        assert (one["dead_lettered"], one["reason"]) == (True, "TTLExpiredException")
        assert (one["attempts"], one.get("kind")) == (0, None)
    assert PLANTED not in shown.out
    number = f"dead#{expired[0]['sequence_number']}"
    assert number in (await ops(still, "rejected")).out
    some = await ops(still, "rejected", "--json", "--reason", "TTLExpiredException", "--limit", "2")
    assert [one["id"] for one in some.json["messages"]] == ["one", "two"]

    replayed = await ops(still, "replay", number, "--json")
    assert replayed.json["replayed"] == [
        {"id": "one", "sequence_number": expired[0]["sequence_number"], "dead_lettered": True}
    ]
    (again,) = await taken(still)  # and does not expire again
    assert (again.id.partition(".")[0], again.body) == ("one", PLANTED)
    assert again.properties == {"traceparent": TRACE, "Diagnostic-Id": TRACE}

    dropped = await ops(still, "drop", "three", "--yes")
    assert (dropped.code, dropped.out) == (0, "dropped 1 message\n")
    both = await ops(still, "replay", "--all")
    assert (both.code, both.out) == (0, "replayed 2 messages\n")
    assert {one.id.partition(".")[0] for one in await taken(still)} == {"two", "beside"}
    assert set((await still.counts("rejected")).values()) == {0}


async def test_nothing_of_it_is_anywhere_else(still: Running) -> None:
    await plant(still, "only")
    for queue in ("messages", "dead-letters", "retries", "receipts"):
        assert set((await still.counts(queue)).values()) == {0}, queue
    assert (await ops(still, "drop", "only", "--yes")).code == 0
    assert await waiting(still, "rejected") == 0


DECLARATION = Declaration.load(FILE)
RECEIVERS = {
    grant.identity
    for grant in DECLARATION.grants
    if (grant.kind, grant.object, grant.operation) == ("queue", "rejected", "receive")
}


def test_an_operator_is_declared_to_receive_what_is_rejected() -> None:
    assert {"operator", "records_officer"} == RECEIVERS


@pytest.mark.parametrize(
    ("app", "identity"),
    [("sender", "sender_bus"), ("receiver", "receiver_bus"), ("tracker", "tracker_bus")],
)
async def test_no_app_may_read_the_dead_letters_of_the_rejected(
    still: Running, app: str, identity: str
) -> None:
    async with still.bus(app, identity) as client:
        receiver = client.get_queue_receiver("rejected", sub_queue=ServiceBusSubQueue.DEAD_LETTER)
        with pytest.raises(ServiceBusAuthorizationError):
            await receiver.receive_messages(1, max_wait_time=1)
