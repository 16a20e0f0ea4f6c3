"""What links in both directions have in common, and what they ask of their session."""

from __future__ import annotations

from typing import Protocol

from local.bus.amqp import performatives as amqp
from local.bus.amqp.errors import AmqpError
from local.bus.amqp.values import Described
from local.bus.broker.address import Address
from local.bus.broker.namespace import Namespace
from local.bus.security.claims import ConnectionClaims
from local.bus.security.principal import Principal, Right
from local.bus.server.memory_budget import MemoryBudget


class UnsettledDelivery(Protocol):
    """A message at the client, not settled yet."""

    @property
    def link(self) -> Link:
        """The link that it was sent on."""

    def settle(self, state: Described | None) -> Described | None:
        """Apply an outcome; return the one to answer, or None where there was none."""

    def is_locked(self) -> bool:
        """Return whether the message is still locked for this delivery."""


class ClientServices(Protocol):
    """What a session and a link on it both ask for: what belongs to the client's connection."""

    @property
    def namespace(self) -> Namespace:
        """The queues."""

    @property
    def claims(self) -> ConnectionClaims:
        """What the client may do."""

    @property
    def memory(self) -> MemoryBudget:
        """What may be kept for the client."""


class LinkSession(ClientServices, Protocol):
    """What a link asks of the session that it is on."""

    @property
    def can_send(self) -> bool:
        """Return whether a message would leave at once."""

    @property
    def can_deliver(self) -> bool:
        """Return whether one more message may be at the client without being settled."""

    def send(self, performative: amqp.Performative, payload: bytes = b"") -> None:
        """Send one frame on the session's channel."""

    def send_transfer(self, transfer: amqp.Transfer, payload: bytes) -> None:
        """Send a message in as many frames as the client's frame size and window ask for."""

    def flow(self, link: Link | None = None, *, drain: bool = False) -> None:
        """Send windows and, with a link, its credit."""

    def detach(self, link: Link, error: AmqpError) -> None:
        """End a link from this side."""

    def refuse(self, link: Link, attach: amqp.Attach, error: AmqpError) -> None:
        """Refuse a link whose attach was not answered yet."""

    def next_delivery_id(self) -> int:
        """Return the number of the next delivery."""

    def track(self, number: int, delivery: UnsettledDelivery) -> None:
        """Keep a delivery until the client settles it."""

    def reply(self, address: Address, reply_to: str | None, payload: bytes) -> None:
        """Send a reply on the link that the client opened for it. Raises AmqpError."""


class Link:
    """One link. `right` is what its token must give while it lasts; None where any token does.

    `holder` is who had that right when it was last checked.
    """

    def __init__(
        self,
        session: LinkSession,
        attach: amqp.Attach,
        address: Address,
        right: Right | None,
        holder: Principal | None = None,
    ) -> None:
        self.session = session
        self.handle = attach.handle
        self.address = address
        self.right = right
        self.holder = holder
        self.credit = 0
        self.delivery_count = 0

    def start(self) -> None:
        """Do what follows on the attach."""

    def stop(self) -> None:
        """Release everything."""

    def wake(self) -> None:
        """Go on after a pause."""

    def on_flow(self, flow: amqp.Flow) -> None:
        """Act on the client's flow frame for this link."""

    def check_queue(self) -> None:
        """Raise AmqpError where the link's queue does not keep it open."""

    def check_rights(self) -> bool:
        """Return whether the link may go on; detach it if it may not."""
        if self.right is None:
            return True
        try:
            self.holder = self.session.claims.require(self.right, self.address)
            self.check_queue()
        except AmqpError as error:
            self.session.detach(self, error)
            return False
        return True
