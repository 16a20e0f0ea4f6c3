"""`python -m bench.steps`, as the sender: how long each step of a cold sender takes by itself.

Token, key (an encrypt, its token included), database, link (its token included), each by clients of
its own that are made anew; prints the seconds of each as JSON.
"""

from __future__ import annotations

import asyncio
import json
import os
import time
from collections.abc import Awaitable, Callable
from typing import cast

from sqlalchemy import text

from shared.azure.identities import managed_identity
from shared.azure.key_vault_id import KeyVaultId
from shared.azure.queues import connect
from shared.azure.vault_key import VaultKey
from shared.azure.vault_secret import VaultSecret
from shared.ledger.engine import make_engine
from shared.message.protected_header import ALGORITHM
from shared.settings import environment
from shared.settings.settings import SenderSettings

_RETRIES = 0


async def measure(settings: SenderSettings) -> dict[str, float]:
    """Return the seconds of each step."""
    steps: dict[str, Callable[[], Awaitable[None]]] = {
        "token": lambda: _token(settings),
        "key": lambda: _key(settings),
        "database": lambda: _database(settings),
        "link": lambda: _link(settings),
    }
    seconds = {}
    for name, step in steps.items():
        begun = time.perf_counter()
        await step()
        seconds[name] = time.perf_counter() - begun
    return seconds


async def _token(settings: SenderSettings) -> None:
    async with managed_identity(settings.encrypt_identity, retries=_RETRIES) as credential:
        await credential.get_token("https://vault.azure.net/.default")


async def _key(settings: SenderSettings) -> None:
    async with managed_identity(settings.encrypt_identity, retries=_RETRIES) as credential:
        key = VaultKey(settings.payload_key, ALGORITHM, credential, settings.network)
        await key.encrypt(os.urandom(32))
        await key.close()


async def _database(settings: SenderSettings) -> None:
    engine = make_engine(await _database_url(settings, settings.database_secret))
    async with engine.connect() as connection:
        await connection.execute(text("SELECT 1"))
    await engine.dispose()


async def _database_url(settings: SenderSettings, secret: KeyVaultId) -> str:
    async with managed_identity(settings.database_identity, retries=_RETRIES) as credential:
        of_database = VaultSecret(secret, credential, 60, settings.network)
        return await of_database.value()


async def _link(settings: SenderSettings) -> None:
    credential = managed_identity(settings.bus_identity, retries=_RETRIES)
    async with (
        credential,
        connect(settings.bus_namespace, credential, settings.network) as bus,
        bus.get_queue_sender(settings.messages_queue) as sender,
    ):
        await sender.create_message_batch()


def main() -> None:
    """Measure as the app that the environment is of."""
    settings = cast("SenderSettings", environment.load(os.environ)["sender"])
    print(json.dumps(asyncio.run(measure(settings))))


if __name__ == "__main__":
    main()
