"""What clients do in a soak beside sending messages: connections, receivers, vault operations."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Iterator
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from azure.keyvault.keys.crypto import EncryptionAlgorithm

from local.bus.amqp import performatives as amqp
from tests.amqp import Raw
from tests.pipeline.cloud_process import Running

AT_ONCE = 1000  # connections, half of them AMQP, half HTTPS
_OPENING = 40  # of them at the same time
_REQUEST = b"GET /secrets?api-version=7.6 HTTP/1.1\r\nHost: localhost\r\n\r\n"


@dataclass
class Connections:
    """Opens many connections, keeps all of them open, and ends all: every other one by a break."""

    cloud: Running
    opened: int = 0
    _tls: ssl.SSLContext = field(init=False)

    def __post_init__(self) -> None:
        self._tls = self.cloud.tls

    async def round(self, count: int = AT_ONCE) -> None:
        limit = asyncio.Semaphore(_OPENING)
        clients: list[Raw] = []

        async def one(port: int, *, is_bus: bool) -> None:
            async with limit:
                clients.append(await self._open(port))
                await (self._greet if is_bus else self._request)(clients[-1])

        try:
            async with asyncio.TaskGroup() as group:
                for _, (port, is_bus) in zip(range(count), self._ports(), strict=False):
                    group.create_task(one(port, is_bus=is_bus))
            self.opened += len(clients)
            for client in clients[::2]:
                client.writer.close()
        finally:
            for client in clients[1::2]:
                client.close()
            for client in clients:
                await client.closed()

    def _ports(self) -> Iterator[tuple[int, bool]]:
        endpoints = self.cloud.endpoints
        bus = urlsplit(str(endpoints["bus"])).port or 0
        others = [*endpoints["vaults"].values(), endpoints["administration"]]
        while True:
            for url in others:
                yield bus, True
                yield urlsplit(str(url)).port or 0, False

    async def _open(self, port: int) -> Raw:
        return Raw(*await asyncio.open_connection("127.0.0.1", port, ssl=self._tls))

    async def _greet(self, client: Raw) -> None:
        client.hello()
        await client.until(amqp.Begin)

    async def _request(self, client: Raw) -> None:
        client.writer.write(_REQUEST)
        line = await client.reader.readline()
        assert line.split()[1] == b"401", line


@dataclass
class Receivers:
    """Receivers of the SDK that come, look for messages and go."""

    cloud: Running
    came: int = 0

    async def run(self, stop: asyncio.Event) -> None:
        while not stop.is_set():
            await self.one()
            await asyncio.sleep(0.5)

    async def one(self) -> None:
        async with (
            self.cloud.bus("operator", "operator") as client,
            client.get_queue_receiver("rejected") as receiver,
        ):
            assert await receiver.receive_messages(1, max_wait_time=0.2) == []
            assert await receiver.peek_messages(1) == []
        self.came += 1


@dataclass
class VaultUse:
    """Encrypts as the sender does, and decrypts that as the receiver does."""

    cloud: Running
    operations: int = 0

    async def run(self, stop: asyncio.Event) -> None:
        version = (await self.cloud.versions("payload"))[-1]
        async with (
            self.cloud.payload_key("sender", "encrypt") as sender,
            self.cloud.payload_key("receiver", "decrypt") as receiver,
            sender.get_cryptography_client("payload") as encrypting,
            receiver.get_cryptography_client("payload", key_version=version) as decrypting,
        ):
            while not stop.is_set():
                algorithm = EncryptionAlgorithm.rsa_oaep_256
                sealed = await encrypting.encrypt(algorithm, b"a data key")
                opened = await decrypting.decrypt(algorithm, sealed.ciphertext)
                assert opened.plaintext == b"a data key"
                self.operations += 2
                await asyncio.sleep(0.2)
