"""All that a message, and those who look after it, can meet in a deployment."""

from __future__ import annotations

from azure.keyvault.keys.aio import KeyClient
from azure.keyvault.secrets.aio import SecretClient

from tests.pipeline.operating import ops
from tests.pipeline.running import Running

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
        await cloud.fault(at="partner", answer="status", status=503, times=1)
        later = await cloud.send(session, b"later", TEXT)
        await cloud.received({later})
        await cloud.fault(at="partner", answer="status", status=400, times=1)
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
    for message_id in (later, rejected, last):
        await cloud.entry(message_id, "delivered")


async def look_after_the_key(cloud: Running) -> None:
    """Rotate the key as its officer does, who also sees versions and enables or disables them."""
    async with (
        await cloud.credential("key_officer", "key_officer") as credential,
        KeyClient(
            cloud.endpoints["vaults"][cloud.vault("payload")],
            credential,
            verify_challenge_resource=False,
            connection_verify=cloud.ca,
        ) as client,
    ):
        old = (await client.get_key("payload")).properties.version
        await client.rotate_key("payload")
        await client.update_key_properties("payload", old, enabled=True)


async def read_as_migrator(cloud: Running) -> None:
    """Read where the database is, as a migration in Azure does: one here is told by the cloud."""
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
