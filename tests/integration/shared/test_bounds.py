"""Nothing that a call waits for keeps it for good: not a vault, an identity, a bus, a partner.

A call that reaches functionTimeout ends the whole worker, with all of its calls.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from azure.core.credentials import AccessToken
from azure.identity.aio import ManagedIdentityCredential
from azure.servicebus import ServiceBusMessage

from shared.azure import queues, vault
from shared.azure.key_vault_id import KeyVaultId
from shared.azure.network import ConnectionOptions
from shared.azure.queues import BusUnavailableError, QueueSender, connect
from shared.azure.vault import VaultUnavailableError
from shared.azure.vault_key import VaultKey
from shared.azure.vault_secret import VaultSecret
from shared.message.protected_header import ALGORITHM, MessageHeader
from shared.partner.delivery import Delivery, PartnerUnavailableError
from shared.partner.webhook import Webhook, WebhookClient

GUID = "0f8fad5b-d9cb-469f-a165-70867728950e"
ENOUGH = 5.0


class Credential:
    """Gives a token at once."""

    async def get_token(self, *_: str, **__: Any) -> AccessToken:
        return AccessToken("token", 2**40)

    async def close(self) -> None:
        pass

    async def __aenter__(self) -> Credential:
        return self

    async def __aexit__(self, *_: object) -> None:
        pass


@pytest.fixture
async def stack() -> AsyncIterator[AsyncExitStack]:
    async with AsyncExitStack() as stack:
        yield stack


@dataclass
class Peer(asyncio.Protocol):
    """Takes connections: sends `answer` to what it receives, then `drip` now and then, for ever.

    Without `reads` it takes in only what comes first.
    """

    kept: list[asyncio.Transport]
    answer: bytes = b""
    drip: bytes = b""
    reads: bool = True

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        self.kept.append(transport)

    def data_received(self, _: bytes) -> None:
        self.transport.write(self.answer)
        if not self.reads:
            self.transport.pause_reading()
        self._drip()

    def _drip(self) -> None:
        if self.drip and not self.transport.is_closing():
            self.transport.write(self.drip)
            asyncio.get_running_loop().call_later(0.05, self._drip)


Kind = Mapping[str, Any]
HANG: Kind = {}
# So that no time limit for reading is ever reached.
DRIP: Kind = {
    "answer": b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n{",
    "drip": b" ",
}
UNREAD: Kind = {
    "answer": b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 100000\r\n\r\n",
    "reads": False,
}
CHALLENGE: Kind = {
    "answer": b"HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\nWWW-Authenticate: Bearer "
    b'authorization="https://login.microsoftonline.com/t", '
    b'resource="https://vault.azure.net"\r\n\r\n'
}


async def listening(stack: AsyncExitStack, kind: Kind, tls: ssl.SSLContext | None) -> str:
    """Serve every connection by a peer of a kind; return `127.0.0.1:port`."""
    kept: list[asyncio.Transport] = []
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Peer(kept, **kind), "127.0.0.1", 0, ssl=tls)
    stack.callback(server.close)
    stack.callback(lambda: [transport.abort() for transport in kept])  # type: ignore[func-returns-value]
    return f"127.0.0.1:{server.sockets[0].getsockname()[1]}"


@pytest.fixture(autouse=True)
def shorter(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the same limits come sooner."""
    monkeypatch.setattr(vault, "_ANSWER_SECONDS", 0.3)
    monkeypatch.setattr(queues, "_SEND_SECONDS", 0.3)
    monkeypatch.setattr(queues, "_WAIT_SECONDS", 1.0)
    monkeypatch.setattr(queues, "_CLOSE_SECONDS", 0.3)


@pytest.mark.parametrize("kind", [HANG, DRIP], ids=["hang", "drip"])
async def test_a_vault_that_never_answers_is_away(
    stack: AsyncExitStack, tls: ssl.SSLContext, ca_file: Path, kind: Kind
) -> None:
    url = f"https://{await listening(stack, kind, tls)}"
    network = ConnectionOptions(ca_file, verify_challenge=False)
    credential: Any = Credential()
    key = VaultKey(KeyVaultId.parse(f"{url}/keys/payload", "keys"), ALGORITHM, credential, network)
    secret_id = KeyVaultId.parse(f"{url}/secrets/partner", "secrets")
    secret = VaultSecret(secret_id, credential, 60, network)
    stack.push_async_callback(key.close)
    stack.push_async_callback(secret.close)
    async with asyncio.timeout(ENOUGH):
        with pytest.raises(VaultUnavailableError):
            await key.encrypt(b"key")
        with pytest.raises(VaultUnavailableError):
            await secret.value()


async def test_an_identity_that_never_answers_is_away(
    stack: AsyncExitStack, tls: ssl.SSLContext, ca_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    identity = await listening(stack, HANG, None)
    monkeypatch.setenv("IDENTITY_ENDPOINT", f"http://{identity}/msi/token")
    monkeypatch.setenv("IDENTITY_HEADER", "header")

    url = f"https://{await listening(stack, CHALLENGE, tls)}"
    network = ConnectionOptions(ca_file, verify_challenge=False)
    async with ManagedIdentityCredential(client_id=GUID) as credential:
        key = VaultKey(
            KeyVaultId.parse(f"{url}/keys/payload", "keys"), ALGORITHM, credential, network
        )
        stack.push_async_callback(key.close)
        async with asyncio.timeout(ENOUGH):
            with pytest.raises(VaultUnavailableError, match="no answer"):
                await key.encrypt(b"key")


# The SDK leaves the connection to the garbage collector that it was cut off in opening.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
async def test_a_bus_that_never_answers_is_away(
    stack: AsyncExitStack, tls: ssl.SSLContext, ca_file: Path
) -> None:
    network = ConnectionOptions(ca_file, f"sb://{await listening(stack, HANG, tls)}")
    credential: Any = Credential()
    sender = QueueSender(connect("relay.servicebus.windows.net", credential, network), "receipts")
    stack.push_async_callback(sender.close)
    async with asyncio.timeout(ENOUGH):
        with pytest.raises(BusUnavailableError):
            await sender.send(ServiceBusMessage(b"x"))


@pytest.mark.parametrize("size", [10, 1_000_000])
@pytest.mark.parametrize("kind", [HANG, DRIP, UNREAD], ids=["hang", "drip", "unread"])
async def test_a_partner_that_never_ends_is_away_or_done(
    stack: AsyncExitStack, tls: ssl.SSLContext, ca_file: Path, kind: Kind, size: int
) -> None:
    url = f"https://{await listening(stack, kind, tls)}/"
    client = WebhookClient(0.5, ConnectionOptions(ca_file))
    stack.push_async_callback(client.close)
    delivery = Delivery(MessageHeader("id", "a/b"), bytes(size))
    async with asyncio.timeout(ENOUGH):
        try:
            await client.send(Webhook(url, (bytes(24),)), delivery)
        except PartnerUnavailableError:
            return
    # It has said so: its first line is all that is waited for.
    assert kind is DRIP
