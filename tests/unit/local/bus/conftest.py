"""A bus on loopback, its clients, and an access that takes tokens of the form `name.right.…`."""

from __future__ import annotations

import asyncio
import gc
import ssl
import threading
import time
import warnings
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import TypeVar

import pytest
import trustme
from azure.core.credentials import AccessToken
from azure.servicebus import ServiceBusClient, TransportType
from azure.servicebus.aio import ServiceBusClient as AsyncServiceBusClient

from local.bus import performatives as amqp
from local.bus.address import parse_address
from local.bus.encoding import encode
from local.bus.errors import Unauthorized
from local.bus.frames import AMQP, HEADER, SASL, Frame, FrameReader, Header, frame
from local.bus.message import parse, respond
from local.bus.principal import Principal, Right
from local.bus.sas import SAS_PREFIX, SasAccess, SasRule
from local.bus.server import BusServer
from local.bus.values import Described, Symbol, ULong, Value
from local.resources import NamespaceSpec, QueueSpec

Some = TypeVar("Some", bound=amqp.Performative)

HOST = "relay.servicebus.windows.net"
KEY = "a2V5IG9mIHRoZSB0ZXN0cw=="


def spec(name: str, **properties: object) -> QueueSpec:
    return QueueSpec(resource_id=f"/queues/{name}", name=name, **properties)  # type: ignore[arg-type]


QUEUES = (
    spec("plain"),
    spec("other"),
    spec("brief", lock_duration=timedelta(seconds=0.4), max_delivery_count=2),
    spec("unique", duplicate_window=timedelta(minutes=1)),
    spec("mortal", time_to_live=timedelta(seconds=0.3), dead_letter_on_expiration=True),
    spec("messages", forward_dead_letters_to="rejected", max_delivery_count=1),
    spec("rejected"),
    spec("retries", forward_to="messages"),
)
NAMESPACE = NamespaceSpec(
    resource_id="/namespaces/relay",
    name="relay",
    host=HOST,
    tier="Standard",
    local_auth=True,
    queues=QUEUES,
)


@dataclass
class Grants:
    """Rights by principal, changeable while a bus runs; a token is the principal's name."""

    rights: set[tuple[str, Right, str]] = field(default_factory=set)
    expires_at: float | None = None
    sas: SasAccess = field(
        default_factory=lambda: SasAccess(
            {
                "all": SasRule(KEY, frozenset({"send", "listen"})),
                "send": SasRule(KEY, frozenset({"send"}), "plain"),
            },
            time.time,
        )
    )

    def authenticate(self, token: str, audience: str) -> Principal:
        if token.startswith(SAS_PREFIX):
            return self.sas.authenticate(token, audience)
        if not token.startswith("jwt-of-") or token == "jwt-of-forger":
            raise Unauthorized("InvalidToken")
        return Principal("identity", token.removeprefix("jwt-of-"), self.expires_at)

    def authenticate_plain(self, name: str, key: str) -> Principal:
        return self.sas.authenticate_plain(name, key)

    def may(self, principal: Principal, right: Right, queue: str) -> bool:
        if principal.kind == "sas":
            return self.sas.may(principal, right, queue)
        return principal.id == "root" or (principal.id, right, queue) in self.rights


@dataclass
class Credential:
    """A token credential, for the sync client."""

    name: str = "root"
    lifetime: float = 3600

    def get_token(self, *scopes: str, **_: object) -> AccessToken:
        return AccessToken(f"jwt-of-{self.name}", int(time.time() + self.lifetime))


@dataclass
class AsyncCredential:
    """A token credential, for the async client."""

    name: str = "root"
    lifetime: float = 3600

    async def get_token(self, *scopes: str, **_: object) -> AccessToken:
        return AccessToken(f"jwt-of-{self.name}", int(time.time() + self.lifetime))

    async def close(self) -> None:
        pass

    async def __aenter__(self) -> AsyncCredential:
        return self

    async def __aexit__(self, *_: object) -> None:
        pass


@dataclass
class Bus:
    """A running bus and how to reach it."""

    server: BusServer
    grants: Grants
    tls_port: int
    plain_port: int
    ca: Path

    def put(self, queue: str, *bodies: bytes) -> None:
        """Put messages to a queue without a client."""
        namespace = self.server._namespace
        found = namespace.find(parse_address(queue))
        assert found is not None
        encoded = [encode(Described(ULong(0x75), body)) for body in bodies]
        namespace.send(found, [(parse(one), len(one)) for one in encoded])

    def client(self, name: str = "root", retries: int = 0) -> AsyncServiceBusClient:
        return AsyncServiceBusClient(
            HOST,
            AsyncCredential(name),
            custom_endpoint_address=f"sb://127.0.0.1:{self.tls_port}",
            connection_verify=str(self.ca),
            transport_type=TransportType.Amqp,
            retry_total=retries,
            retry_backoff_factor=0.01,
        )

    def sync_client(self, rule: str = "all", key: str = KEY) -> ServiceBusClient:
        return ServiceBusClient.from_connection_string(
            f"Endpoint=sb://127.0.0.1:{self.plain_port};SharedAccessKeyName={rule};"
            f"SharedAccessKey={key};UseDevelopmentEmulator=true;",
            retry_total=0,
        )


@dataclass
class Raw:
    """A client that says whatever a test wants said, in AMQP or not."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    frames: FrameReader = field(default_factory=FrameReader)

    async def item(self) -> Header | Frame | None:
        """Read the next header or frame; None at the end of the stream."""
        while (item := self.frames.next()) is None:
            try:
                data = await asyncio.wait_for(self.reader.read(65536), 5)
            except ConnectionError:
                return None
            if not data:
                return None
            self.frames.feed(data)
        return item

    async def read(self) -> amqp.Performative | None:
        """Read the next performative; None at the end of the stream."""
        item = await self.item()
        while isinstance(item, Header) or (item is not None and not item.body):
            item = await self.item()
        return None if item is None else amqp.read(item.body)[0]

    async def until(self, kind: type[Some]) -> Some:
        """Read on to the next performative of a kind."""
        while (performative := await self.read()) is not None:
            if isinstance(performative, kind):
                return performative
        raise EOFError

    async def rest(self) -> list[amqp.Performative]:
        """Read everything until the server hangs up."""
        got = []
        while (performative := await self.read()) is not None:
            got.append(performative)
        return got

    def send(self, performative: amqp.Performative, payload: bytes = b"", channel: int = 0) -> None:
        kind = SASL if performative.CODE >= 0x40 else AMQP
        self.writer.write(frame(kind, channel, amqp.write(performative) + payload))

    def hello(self, mechanism: str = "ANONYMOUS", response: bytes | None = None) -> None:
        """Greet, all at once."""
        self.writer.write(HEADER[SASL])
        self.send(amqp.SaslInit(Symbol(mechanism), response))
        self.writer.write(HEADER[AMQP])
        self.send(amqp.Open("raw", max_frame_size=65536))
        self.send(amqp.Begin(None, 0, 1000, 1000))

    def attach(self, handle: int, address: str, *, receives: bool) -> None:
        source = Described(ULong(0x28), [address if receives else "here"])
        target = Described(ULong(0x29), ["here" if receives else address])
        name = f"link-{handle}"
        self.send(
            amqp.Attach(name, handle, receives, 0, 0, source, target, initial_delivery_count=0)
        )

    def put_token(self, audience: str, token: str, operation: str = "put-token") -> None:
        """Ask $cbs, over handles 0 and 1."""
        self.attach(0, "$cbs", receives=False)
        self.attach(1, "$cbs", receives=True)
        self.send(amqp.Flow(0, 1000, 0, 1000, 1, 0, 10))
        properties: dict[Value, Value] = {"operation": operation, "name": audience}
        self.send(amqp.Transfer(0, 0, b"t", 0), respond(None, properties, token))

    def close(self) -> None:
        self.writer.transport.abort()


@pytest.fixture
async def raw(bus: Bus) -> AsyncIterator[Callable[[], Awaitable[Raw]]]:
    clients: list[Raw] = []

    async def connect() -> Raw:
        client = Raw(*await asyncio.open_connection("127.0.0.1", bus.plain_port))
        clients.append(client)
        return client

    yield connect
    for client in clients:
        client.close()


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> tuple[trustme.CA, Path]:
    ca = trustme.CA()
    path = tmp_path_factory.mktemp("ca") / "ca.pem"
    ca.cert_pem.write_to_path(path)
    return ca, path


async def start(ca: trustme.CA, path: Path) -> Bus:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    ca.issue_cert("127.0.0.1").configure_cert(context)
    grants = Grants()
    server = BusServer(NAMESPACE, grants)
    tls_port = await server.listen("127.0.0.1", 0, context)
    plain_port = await server.listen("127.0.0.1", 0, None)
    return Bus(server, grants, tls_port, plain_port, path)


@pytest.fixture
async def bus(authority: tuple[trustme.CA, Path]) -> AsyncIterator[Bus]:
    running = await start(*authority)
    yield running
    await running.server.close()


@pytest.fixture
def threaded_bus(authority: tuple[trustme.CA, Path]) -> Iterator[Bus]:
    """The same in a thread of its own, for clients that block."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()

    running = asyncio.run_coroutine_threadsafe(start(*authority), loop).result()
    yield running
    asyncio.run_coroutine_threadsafe(running.server.close(), loop).result()
    loop.call_soon_threadsafe(loop.stop)
    thread.join()
    loop.close()


@pytest.fixture(scope="module")
def left_sockets() -> Iterator[None]:
    """Collect what the SDK leaves of broken connections before it troubles another module."""
    yield
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        gc.collect()


@pytest.fixture
def make_spec() -> Callable[..., QueueSpec]:
    return spec


@pytest.fixture
def grants() -> Grants:
    return Grants()
