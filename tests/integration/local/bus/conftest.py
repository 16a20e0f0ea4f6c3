"""A bus on loopback, its clients, and an access that takes tokens of the form `name.right.…`."""

from __future__ import annotations

import asyncio
import gc
import ssl
import threading
import time
import warnings
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import trustme
from azure.core.credentials import AccessToken
from azure.servicebus import ServiceBusClient, TransportType
from azure.servicebus.aio import ServiceBusClient as AsyncServiceBusClient

from local.bus.amqp.encoding import encode
from local.bus.amqp.errors import UnauthorizedError
from local.bus.amqp.message import parse
from local.bus.amqp.values import Described, ULong
from local.bus.broker.address import parse_address
from local.bus.security.audit_sink import AccessRequest, AuditSink
from local.bus.security.principal import Principal, Right
from local.bus.security.sas import SAS_PREFIX, SasAccess, SasRule
from local.bus.server.server import BusServer
from local.deployment.resources import NamespaceSpec, QueueSpec
from local.faults.faults import Fault, Faults
from local.runtime.bus_faults import FaultyAvailability
from tests.amqp import Raw

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
    spec("sessions", requires_session=True),
    spec("brief-sessions", requires_session=True, lock_duration=timedelta(seconds=1)),
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
                "all": SasRule(KEY, frozenset({"send", "listen", "manage"})),
                "owner": SasRule(KEY, frozenset({"send", "listen", "manage"}), "mine"),
                "send": SasRule(KEY, frozenset({"send"}), "plain"),
            },
            time.time,
        )
    )

    def authenticate(self, token: str, audience: str) -> Principal:
        if token.startswith(SAS_PREFIX):
            return self.sas.authenticate(token, audience)
        if not token.startswith("jwt-of-") or token == "jwt-of-forger":
            raise UnauthorizedError("InvalidTokenError")
        return Principal("identity", token.removeprefix("jwt-of-"), self.expires_at)

    def authenticate_plain(self, name: str, key: str) -> Principal:
        return self.sas.authenticate_plain(name, key)

    def is_allowed(self, principal: Principal, right: Right, queue: str) -> bool:
        if principal.kind == "sas":
            return self.sas.is_allowed(principal, right, queue)
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
class Notes(AuditSink):
    """What a bus reported to its audit sink."""

    decisions: list[tuple[str, Right, str, bool]] = field(default_factory=list)
    requests: list[str | None] = field(default_factory=list)
    strangers: list[tuple[str, str]] = field(default_factory=list)
    uses: Counter[tuple[str, Right, str]] = field(default_factory=Counter)
    transfers: list[tuple[str, Right, str, tuple[str, ...]]] = field(default_factory=list)

    def decided(self, principal: Principal, right: Right, asked: AccessRequest) -> None:
        self.decisions.append((principal.id, right, asked.entity, asked.probe))
        self.requests.append(asked.request_id)

    def authentication_failed(self, why: str, asked: AccessRequest) -> None:
        self.strangers.append((asked.entity, why))
        self.requests.append(asked.request_id)

    def used(self, principal: Principal, right: Right, entity: str, count: int) -> None:
        self.uses[principal.id, right, entity] += count

    def transferred(
        self, principal: Principal, right: Right, entity: str, message_ids: Sequence[str]
    ) -> None:
        self.transfers.append((principal.id, right, entity, tuple(message_ids)))


@dataclass
class Bus:
    """A running bus and how to reach it."""

    server: BusServer
    grants: Grants
    tls_port: int
    plain_port: int
    ca: Path
    notes: Notes
    faults: Faults
    loop: asyncio.AbstractEventLoop

    def set_fault(self, **fault: object) -> None:
        """Put a fault of the bus in force, as the control endpoint does."""
        self.faults.set(Fault.from_json({"service": "bus", **fault}))
        self.server.availability_changed()

    def clear_faults(self) -> None:
        self.faults.clear()
        self.server.availability_changed()

    def put(self, queue: str, *bodies: bytes) -> None:
        """Send messages to a queue without a client."""
        namespace = self.server._namespace
        found = namespace.find(parse_address(queue))
        assert found is not None
        encoded = [encode(Described(ULong(0x75), body)) for body in bodies]
        namespace.send(found, [(parse(one), len(one)) for one in encoded])

    def client(self, name: str = "root", retries: int = 0, **options: Any) -> AsyncServiceBusClient:
        options = {"transport_type": TransportType.Amqp} | options
        return AsyncServiceBusClient(
            HOST,
            AsyncCredential(name),
            custom_endpoint_address=f"sb://127.0.0.1:{self.tls_port}",
            connection_verify=str(self.ca),
            retry_total=retries,
            retry_backoff_factor=0.01,
            **options,
        )

    def sync_client(self, rule: str = "all", key: str = KEY) -> ServiceBusClient:
        return ServiceBusClient.from_connection_string(
            f"Endpoint=sb://127.0.0.1:{self.plain_port};SharedAccessKeyName={rule};"
            f"SharedAccessKey={key};UseDevelopmentEmulator=true;",
            retry_total=0,
        )


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
    notes = Notes()
    faults = Faults()
    availability = FaultyAvailability(faults, NAMESPACE.name)
    server = BusServer(NAMESPACE, grants, audit=notes, availability=availability)
    tls_port = await server.listen("127.0.0.1", 0, context)
    plain_port = await server.listen("127.0.0.1", 0, None)
    return Bus(
        server, grants, tls_port, plain_port, path, notes, faults, asyncio.get_running_loop()
    )


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
