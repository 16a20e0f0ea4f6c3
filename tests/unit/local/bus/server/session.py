"""A session without a connection: what a link asks of it, and a list of what it sent."""

from __future__ import annotations

from dataclasses import dataclass, field

from local.bus.amqp import performatives as amqp
from local.bus.amqp.encoding import encode
from local.bus.amqp.errors import AmqpError, UnauthorizedError
from local.bus.amqp.message import encode_response
from local.bus.amqp.values import Described, ULong, Value
from local.bus.broker.address import Address
from local.bus.broker.namespace import Namespace
from local.bus.broker.queue import Queue
from local.bus.security.claims import ConnectionClaims
from local.bus.security.principal import Principal, Right
from local.bus.server.link import Link, UnsettledDelivery
from local.bus.server.memory_budget import MemoryBudget
from local.deployment.resources import NamespaceSpec, QueueSpec

DATA = encode(Described(ULong(0x75), b"body"))
RECEIVER, SENDER = amqp.RECEIVER, amqp.SENDER
QUEUES = (
    QueueSpec("/q/plain", "plain", max_message_bytes=1000),
    QueueSpec("/q/retries", "retries", forward_to="plain"),
)


@dataclass
class Access:
    """The token is the principal's name; `rights` can change."""

    rights: set[Right] = field(default_factory=lambda: {"send", "listen"})

    def authenticate(self, token: str, audience: str) -> Principal:
        if token == "forged":
            raise UnauthorizedError("InvalidTokenError")
        return Principal("identity", token, None)

    def authenticate_plain(self, name: str, key: str) -> Principal:
        raise UnauthorizedError("no keys")

    def is_allowed(self, principal: Principal, right: Right, queue: str) -> bool:
        return right in self.rights


class Session:
    """Records what a link does."""

    def __init__(self, now: float = 1000.0) -> None:
        spec = NamespaceSpec("/n", "n", "n", "Standard", local_auth=False, queues=QUEUES)
        self.now = now
        self.access = Access()
        self.namespace = Namespace(spec, lambda: self.now)
        self.claims = ConnectionClaims(self.access, lambda: self.now)
        self.memory = MemoryBudget(10_000)
        self.can_send = self.can_deliver = True
        self.sent: list[amqp.Performative] = []
        self.transfers: list[tuple[amqp.Transfer, bytes]] = []
        self.replies: list[tuple[Address, str | None, bytes]] = []
        self.detached: list[tuple[Link, AmqpError]] = []
        self.flows: list[tuple[Link | None, bool]] = []
        self.tracked: dict[int, UnsettledDelivery] = {}

    def put_token(self) -> None:
        self.claims.put("sb://n/", "somebody")

    def queue(self, name: str = "plain") -> Queue:
        queue = self.namespace.find(Address(name))
        assert queue is not None
        return queue

    def send(self, performative: amqp.Performative, payload: bytes = b"") -> None:
        self.sent.append(performative)

    def send_transfer(self, transfer: amqp.Transfer, payload: bytes) -> None:
        self.transfers.append((transfer, payload))

    def flow(self, link: Link | None = None, *, drain: bool = False) -> None:
        self.flows.append((link, drain))

    def detach(self, link: Link, error: AmqpError) -> None:
        self.detached.append((link, error))

    def refuse(self, link: Link, attach: amqp.Attach, error: AmqpError) -> None:
        self.detached.append((link, error))

    def next_delivery_id(self) -> int:
        return len(self.transfers)

    def track(self, number: int, delivery: UnsettledDelivery) -> None:
        self.tracked[number] = delivery

    def reply(self, address: Address, reply_to: str | None, payload: bytes) -> None:
        self.replies.append((address, reply_to, payload))


def attach(address: str, role: bool, handle: int = 0) -> amqp.Attach:
    """Return an attach frame of a client: it sends to the address, or receives from it."""
    source = Described(ULong(0x28), [address if role == RECEIVER else "here"])
    target = Described(ULong(0x29), ["here" if role == RECEIVER else address])
    return amqp.Attach("link", handle, role, source=source, target=target)


def request(operation: str, body: Value, **properties: Value) -> bytes:
    named: dict[Value, Value] = {"operation": operation}
    named.update(properties)
    return encode_response(None, named, body)
