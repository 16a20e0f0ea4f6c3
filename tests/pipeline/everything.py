"""All that a message, and those who look after it, can meet in a deployment."""

from __future__ import annotations

import asyncio
import sys

from tests.pipeline.running import ROOT, Running

QUICK = {"RELAY_RETRY_SCHEDULE": "1s,1s", "RELAY_WAIT_SECONDS": "1"}
TEXT = "text/plain"


async def ops(cloud: Running, *arguments: str, given: str = "") -> None:
    command = [sys.executable, "-m", "ops", *arguments, "--folder", str(cloud.folder)]
    process = await asyncio.create_subprocess_exec(
        *command, cwd=ROOT, stdin=asyncio.subprocess.PIPE
    )
    await process.communicate(given.encode())
    assert process.returncode == 0


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
        await ops(cloud, "rejected")
        await ops(cloud, "replay", "--all")
        await cloud.received({rejected})
        await cloud.control("POST", f"/keys/{cloud.vault('payload')}/payload/rotate")
        secret = (await cloud.control("GET", "/partner/secrets"))["webhook"]
        await ops(cloud, "secrets", "--replace", given=secret)
        await read_as_migrator(cloud)
        last = await cloud.send(session, b"after the rotation", TEXT)
    for message_id in (later, rejected, last):
        await cloud.entry(message_id, "delivered")


async def read_as_migrator(cloud: Running) -> None:
    """Read where the database is, as a migration in Azure does: one here is told by the cloud."""
    environment = await cloud.operator_environment("migrator")
    headers = {"X-IDENTITY-HEADER": environment["IDENTITY_HEADER"]}
    params = {"api-version": "2019-08-01", "resource": "https://vault.azure.net"}
    url = f"{cloud.endpoints['vaults'][cloud.vault('database')]}secrets/database-connection"
    async with cloud.session() as session:
        async with session.get(
            environment["IDENTITY_ENDPOINT"], params=params, headers=headers
        ) as answer:
            token = (await answer.json())["access_token"]
        async with session.get(
            url, params={"api-version": "7.6"}, headers={"Authorization": f"Bearer {token}"}
        ) as answer:
            assert answer.status == 200
