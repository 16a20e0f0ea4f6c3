"""All that a message, and those who look after it, can meet in a deployment."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from aiohttp import ClientSession
from azure.keyvault.secrets.aio import SecretClient
from azure.servicebus import ServiceBusMessage

from shared.apps.triage import MAX_RETURNS
from shared.message.receipt import Receipt
from shared.message.state import State
from shared.message.unrecorded import RETURNS
from tests.pipeline.cloud_process import Running
from tests.pipeline.ops_cli import ops

QUICK = {"RELAY_RETRY_SCHEDULE": "1s,1s", "RELAY_WAIT_SECONDS": "1"}
TEXT = "text/plain"


async def done(cloud: Running, *arguments: str, given: str = "") -> None:
    """Run an operator's command that must do what it says."""
    ended = await ops(cloud, *arguments, given=given)
    assert ended.code == 0, ended


async def all_that_a_message_can_meet(cloud: Running) -> None:
    """Delivery, a retry, a rejection and its replay, new versions of the key and of the secret."""
    async with cloud.session() as session:
        await cloud.received({await cloud.send(session, b"at once", TEXT)})
        await cloud.fault(service="partner", answer="status", status=503, times=1)
        later = await cloud.send(session, b"later", TEXT)
        await cloud.received({later})
        await bring_one_forward(cloud, session)
        await cloud.fault(service="partner", answer="status", status=400, times=1)
        rejected = await cloud.send(session, b"rejected", TEXT)
        await cloud.entry(rejected, "rejected")
        await done(cloud, "rejected")
        await done(cloud, "replay", "--all")
        await cloud.received({rejected})
        await look_after_the_key(cloud)
        secret = (await cloud.control("GET", "/partner/secrets"))["webhook"]
        await done(cloud, "secrets", "--replace", given=secret)
        await read_as_migrator(cloud)
        last = await cloud.send(session, b"after the rotation", TEXT)
    await receipts_that_nobody_can_record(cloud)
    for message_id in (later, rejected, last):
        await cloud.entry(message_id, "delivered")
    await done(cloud, "prune")
    await done(cloud, "erase", later, "--yes")


async def bring_one_forward(cloud: Running, session: ClientSession) -> None:
    """Let a message wait as long as the partner asks, and send it sooner, as its officer does."""
    await cloud.fault(service="partner", answer="status", status=500, retry_after="3600", times=1)
    sooner = await cloud.send(session, b"sooner", TEXT)
    await cloud.waiting("retries", 1)
    await done(cloud, "retries")
    await done(cloud, "retry", sooner)
    await cloud.received({sooner})
    await done(cloud, "partner", "status")
    await done(cloud, "partner", "resume")


async def look_after_the_key(cloud: Running) -> None:
    """Rotate the key as its officer does, who also sees versions and enables or disables them."""
    async with cloud.payload_key("key_officer", "key_officer") as client:
        old = (await client.get_key("payload")).properties.version
        await client.rotate_key("payload")
        await client.update_key_properties("payload", old, enabled=True)


async def receipts_that_nobody_can_record(cloud: Running) -> None:
    """One is malformed, one of a newer format, which waits; one the bus dead-letters, replayed."""
    given_up = Receipt("given-up", State.DELIVERED, datetime.now(UTC)).to_json()
    many: Any = {RETURNS: str(MAX_RETURNS)}
    async with (
        cloud.bus("receiver", "receiver_bus") as client,
        client.get_queue_sender("receipts") as sender,
    ):
        await sender.send_messages(ServiceBusMessage("not a receipt"))
        await cloud.queued("rejected", 1)
        # One that only a newer tracker can read: this one puts it back until there is one.
        await sender.send_messages(ServiceBusMessage('{"format": 2}'))
        await cloud.waiting("receipts", 1)
        await cloud.control("POST", "/apps/tracker/stop")
        await sender.send_messages(ServiceBusMessage(given_up, application_properties=many))
    async with (
        cloud.bus("tracker", "tracker_bus") as client,
        client.get_queue_receiver("receipts") as receiver,
    ):
        for message in await receiver.receive_messages(1, max_wait_time=5):
            await receiver.dead_letter_message(message, reason="MaxDeliveryCountExceeded")
    await cloud.queued("rejected", 2)
    await cloud.control("POST", "/apps/tracker/start")
    await done(cloud, "replay", "given-up")
    await cloud.entry("given-up", "delivered")


async def read_as_migrator(cloud: Running) -> None:
    """Read where the database is, as a migration in Azure does: one here gets it from the cloud."""
    async with (
        await cloud.credential("migrator", "migrator") as credential,
        SecretClient(
            cloud.endpoints["vaults"][cloud.vault("database")],
            credential,
            verify_challenge_resource=False,
            connection_verify=cloud.ca,
        ) as client,
    ):
        await client.get_secret("database-connection")
