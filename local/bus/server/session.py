"""One session: windows, delivery numbers, and the links on it.

Source: OASIS AMQP 1.0, part 2 (Transport), 2.5.
"""

from __future__ import annotations

from collections import deque
from dataclasses import replace
from typing import Protocol

from local.bus.amqp import performatives as amqp
from local.bus.amqp.errors import (
    HANDLE_IN_USE,
    NOT_ALLOWED,
    NOT_FOUND,
    RESOURCE_LIMIT,
    UNATTACHED_HANDLE,
    AmqpError,
)
from local.bus.broker.address import Address
from local.bus.broker.namespace import Namespace
from local.bus.security.claims import ConnectionClaims
from local.bus.server.incoming import IncomingLink
from local.bus.server.link import Link, UnsettledDelivery
from local.bus.server.link_factory import attach_link, refuse_link
from local.bus.server.outgoing import ReplyLink

WINDOW = 5000
HANDLE_MAX = 255
MAX_LINKS = 1000  # on one connection
MAX_UNSETTLED = 5000
FRAME_PREFIX = 8
_IDS = 2**32


class SessionConnection(Protocol):
    """What a session asks of the connection that it is on; `links` counts those of all sessions."""

    links: int

    @property
    def namespace(self) -> Namespace:
        """The queues."""

    @property
    def claims(self) -> ConnectionClaims:
        """What the client may do."""

    @property
    def is_writable(self) -> bool:
        """Return whether the client keeps up with what it is sent."""

    @property
    def max_frame(self) -> int:
        """The largest frame that the client takes, in octets."""

    def send(self, channel: int, performative: amqp.Performative, payload: bytes = b"") -> None:
        """Queue one frame."""

    def reserve(self, octets: int) -> None:
        """Count octets kept for the client. Raises AmqpError above the limit."""

    def release(self, octets: int) -> None:
        """Count octets no longer kept."""


class Session:
    """A session of a connection; it answers on the channel number the client chose."""

    def __init__(self, connection: SessionConnection, channel: int, begin: amqp.Begin) -> None:
        self.namespace = connection.namespace
        self.claims = connection.claims
        self.links: dict[int, Link] = {}
        self._connection = connection
        self._unsettled: dict[int, UnsettledDelivery] = {}
        self._channel = channel
        self._closing: set[int] = set()
        self._next_incoming_id = begin.next_outgoing_id
        self._incoming_window = WINDOW
        self._next_outgoing_id = 1
        self._outgoing_window = begin.incoming_window
        self._next_delivery_id = 1
        self._held_back: deque[tuple[amqp.Transfer, bytes]] = deque()
        self.send(
            amqp.Begin(
                remote_channel=channel,
                next_outgoing_id=self._next_outgoing_id,
                incoming_window=WINDOW,
                outgoing_window=WINDOW,
                handle_max=HANDLE_MAX,
            )
        )

    def send(self, performative: amqp.Performative, payload: bytes = b"") -> None:
        """Send one frame on this session's channel."""
        self._connection.send(self._channel, performative, payload)

    def on_frame(self, performative: amqp.Performative, payload: bytes) -> None:
        """Act on a frame of this session."""
        match performative:
            case amqp.Transfer():
                self._on_transfer(performative, payload)
            case amqp.Disposition():
                self._on_disposition(performative)
            case amqp.Flow():
                self._on_flow(performative)
            case amqp.Attach():
                self._on_attach(performative)
            case amqp.Detach():
                self._on_detach(performative)
            case _:
                raise AmqpError(NOT_ALLOWED, "That frame has no place in a session.")

    def end(self) -> None:
        """Let go of all links."""
        for link in list(self.links.values()):
            self._remove(link)

    def check_rights(self) -> None:
        """Detach the links whose token expired or whose right was taken away."""
        for link in list(self.links.values()):
            link.check_rights()

    # Outgoing

    @property
    def can_send(self) -> bool:
        """Return whether a message would leave at once."""
        is_stuck = self._outgoing_window <= 0 or bool(self._held_back)
        return self._connection.is_writable and not is_stuck

    @property
    def can_deliver(self) -> bool:
        """Return whether one more message may be at the client without being settled."""
        if len(self._unsettled) >= MAX_UNSETTLED:
            self._forget_unlocked()
        return self.can_send and len(self._unsettled) < MAX_UNSETTLED

    def track(self, number: int, delivery: UnsettledDelivery) -> None:
        """Keep a delivery until the client settles it."""
        self._unsettled[number] = delivery

    def reserve(self, octets: int) -> None:
        """Count octets kept for the client. Raises AmqpError above the limit of its connection."""
        self._connection.reserve(octets)

    def release(self, octets: int) -> None:
        """Count octets no longer kept."""
        self._connection.release(octets)

    def next_delivery_id(self) -> int:
        """Give the number of the next delivery."""
        number = self._next_delivery_id
        self._next_delivery_id = (number + 1) % _IDS
        return number

    def send_transfer(self, transfer: amqp.Transfer, payload: bytes) -> None:
        """Send a message in as many frames as the client's frame size and window ask for."""
        overhead = FRAME_PREFIX + len(amqp.write(replace(transfer, more=True)))
        room = self._connection.max_frame - overhead
        for start in range(0, len(payload), room):
            part = replace(transfer, more=start + room < len(payload))
            self._held_back.append((part, payload[start : start + room]))
        self._send_held_back()

    def _send_held_back(self) -> None:
        while self._held_back and self._outgoing_window > 0:
            transfer, payload = self._held_back.popleft()
            self._outgoing_window -= 1
            self._next_outgoing_id = (self._next_outgoing_id + 1) % _IDS
            self.send(transfer, payload)

    def flow(self, link: Link | None = None, *, drain: bool = False) -> None:
        """Tell the client windows and, with a link, its credit."""
        self._incoming_window = WINDOW
        self.send(
            amqp.Flow(
                next_incoming_id=self._next_incoming_id,
                incoming_window=WINDOW,
                next_outgoing_id=self._next_outgoing_id,
                outgoing_window=WINDOW,
                handle=link.handle if link else None,
                delivery_count=link.delivery_count if link else None,
                link_credit=link.credit if link else None,
                available=0 if link else None,
                drain=drain,
            )
        )

    def wake(self) -> None:
        """Let links deliver again after a pause."""
        for link in list(self.links.values()):
            link.wake()

    # Frames

    def _on_flow(self, flow: amqp.Flow) -> None:
        could_send = self.can_send
        seen = 1 if flow.next_incoming_id is None else flow.next_incoming_id
        sent = (self._next_outgoing_id - seen) % _IDS
        in_flight = sent if sent < _IDS // 2 else 0
        self._outgoing_window = flow.incoming_window - in_flight
        self._send_held_back()
        if flow.handle is None and flow.echo:
            self.flow()
        if not could_send:
            self.wake()
        if flow.handle is not None and flow.handle not in self._closing:
            self._link(flow.handle).on_flow(flow)

    def _on_transfer(self, transfer: amqp.Transfer, payload: bytes) -> None:
        self._next_incoming_id = (self._next_incoming_id + 1) % _IDS
        self._incoming_window -= 1
        if self._incoming_window < WINDOW // 2:
            self.flow()
        if transfer.handle in self._closing:
            return
        link = self._link(transfer.handle)
        if not isinstance(link, IncomingLink):
            raise AmqpError(NOT_ALLOWED, "The link does not take transfers.")
        link.on_transfer(transfer, payload)

    def _on_disposition(self, disposition: amqp.Disposition) -> None:
        if disposition.role is not amqp.RECEIVER:
            return
        first = disposition.first
        last = first if disposition.last is None else disposition.last
        # The range is the client's word: walk it only where it is shorter than what is known.
        if last - first < len(self._unsettled):
            numbers = [n for n in range(first, last + 1) if n in self._unsettled]
        else:
            numbers = [n for n in self._unsettled if first <= n <= last]
        was_full = len(self._unsettled) >= MAX_UNSETTLED
        self._settle(numbers, disposition)
        if was_full:
            self.wake()

    def _settle(self, numbers: list[int], disposition: amqp.Disposition) -> None:
        for number in numbers:
            state = self._unsettled[number].settle(disposition.state)
            if state is None and not disposition.settled:
                continue
            del self._unsettled[number]
            if not disposition.settled:
                self.send(amqp.Disposition(amqp.SENDER, number, number, settled=True, state=state))

    def _on_attach(self, attach: amqp.Attach) -> None:
        if attach.handle in self.links or attach.handle > HANDLE_MAX:
            raise AmqpError(HANDLE_IN_USE, "The handle is in use or above handle-max.")
        self._closing.discard(attach.handle)
        try:
            self._check_room()
            link = attach_link(self, attach)
        except AmqpError as error:
            self._closing.add(attach.handle)
            refuse_link(self, attach, error)
            return
        self.links[attach.handle] = link
        self._connection.links += 1
        link.start()

    def _check_room(self) -> None:
        if self._connection.links >= MAX_LINKS:
            raise AmqpError(RESOURCE_LIMIT, "Too many links on one connection.")

    def _on_detach(self, detach: amqp.Detach) -> None:
        # An answer to a detach of ours is not answered again: clients take that for a new fault.
        if detach.handle in self._closing:
            self._closing.discard(detach.handle)
            return
        self._remove(self._link(detach.handle))
        self.send(amqp.Detach(detach.handle, closed=detach.closed))

    def detach(self, link: Link, error: AmqpError) -> None:
        """End a link from this side."""
        self._remove(link)
        self._closing.add(link.handle)
        self.send(amqp.Detach(link.handle, closed=True, error=error.wire()))

    def _link(self, handle: int) -> Link:
        link = self.links.get(handle)
        if link is None:
            raise AmqpError(UNATTACHED_HANDLE, "There is no link of that handle.")
        return link

    def _remove(self, link: Link) -> None:
        if self.links.pop(link.handle, None) is None:
            return
        self._connection.links -= 1
        link.stop()
        gone = [number for number, delivery in self._unsettled.items() if delivery.link is link]
        for number in gone:
            del self._unsettled[number]

    def _forget_unlocked(self) -> None:
        lost = [n for n, delivery in self._unsettled.items() if not delivery.is_locked()]
        for number in lost:
            del self._unsettled[number]

    def reply(self, address: Address, reply_to: str | None, payload: bytes) -> None:
        """Send an answer on the link that the client opened for it. Raises AmqpError.

        It is the link named, or else any to the same request node.
        """
        links = [
            link
            for link in self.links.values()
            if isinstance(link, ReplyLink) and link.address == address
        ]
        named = (link for link in links if link.target == reply_to)
        link = next(named, links[0] if links else None)
        if link is None:
            raise AmqpError(NOT_FOUND, "There is no link to answer on.")
        link.reply(payload)
