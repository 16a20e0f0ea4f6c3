"""`python -m bench.steps`, as the sender: how long each step of a cold sender takes by itself.

Token, key (an encrypt, its token included), database, link (its token included), each by clients of
its own that are made anew; prints the seconds of each as JSON. Closing them is not counted, since a
sender keeps them: to close a link takes the SDK half a second.

Opening one takes half a second as well, wherever the bus is: ten frames are waited for one after
the other, and the SDK looks for each every 50 ms (`ServiceBusSender._open`).
"""

from __future__ import annotations

import asyncio
import json
import os
import time
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from typing import cast

from azure.core.credentials_async import AsyncTokenCredential
from sqlalchemy import text

from shared.azure.identities import managed_identity
from shared.azure.queues import connect
from shared.azure.vault_key import VaultKey
from shared.azure.vault_secret import VaultSecret
from shared.ledger.engine import make_engine
from shared.message.protected_header import ALGORITHM
from shared.settings import environment
from shared.settings.settings import SenderSettings

_RETRIES = 0
_Step = Callable[[SenderSettings, AsyncExitStack], Awaitable[None]]


async def measure(settings: SenderSettings) -> dict[str, float]:
    """Return the seconds of each step."""
    steps: dict[str, _Step] = {"token": _token, "key": _key, "database": _database, "link": _link}
    seconds = {}
    for name, step in steps.items():
        async with AsyncExitStack() as closing:
            begun = time.perf_counter()
            await step(settings, closing)
            seconds[name] = time.perf_counter() - begun
    return seconds


async def _identity(client_id: str, closing: AsyncExitStack) -> AsyncTokenCredential:
    return await closing.enter_async_context(managed_identity(client_id, retries=_RETRIES))


async def _token(settings: SenderSettings, closing: AsyncExitStack) -> None:
    credential = await _identity(settings.encrypt_identity, closing)
    await credential.get_token("https://vault.azure.net/.default")


async def _key(settings: SenderSettings, closing: AsyncExitStack) -> None:
    credential = await _identity(settings.encrypt_identity, closing)
    key = VaultKey(settings.payload_key, ALGORITHM, credential, settings.network)
    closing.push_async_callback(key.close)
    await key.encrypt(os.urandom(32))


async def _database(settings: SenderSettings, closing: AsyncExitStack) -> None:
    credential = await _identity(settings.database_identity, closing)
    secret = VaultSecret(settings.database_secret, credential, 60, settings.network)
    closing.push_async_callback(secret.close)
    engine = make_engine(await secret.value())
    closing.push_async_callback(engine.dispose)
    connection = await closing.enter_async_context(engine.connect())
    await connection.execute(text("SELECT 1"))


async def _link(settings: SenderSettings, closing: AsyncExitStack) -> None:
    credential = await _identity(settings.bus_identity, closing)
    bus = connect(settings.bus_namespace, credential, settings.network)
    closing.push_async_callback(bus.close)
    sender = await closing.enter_async_context(bus.get_queue_sender(settings.messages_queue))
    await sender.create_message_batch()


def main() -> None:
    """Measure as the app that the environment is of."""
    settings = cast("SenderSettings", environment.load(os.environ)["sender"])
    print(json.dumps(asyncio.run(measure(settings))))


if __name__ == "__main__":
    main()
