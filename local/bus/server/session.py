"""One session: frames to the links on it, and the numbers of deliveries.

Source: OASIS AMQP 1.0, part 2 (Transport), 2.5 and 2.6.
"""

from __future__ import annotations

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
from local.bus.server.flow_control import SERIAL_NUMBERS, SessionWindow
from local.bus.server.incoming import IncomingLink
from local.bus.server.link import ClientServices, Link, UnsettledDelivery
from local.bus.server.link_factory import attach_link, refuse_link
from local.bus.server.outgoing import ReplyLink
from local.bus.server.unsettled import UnsettledDeliveries

HANDLE_MAX = 255
MAX_LINKS = 1000  # on one connection


class SessionConnection(ClientServices, Protocol):
    """What a session asks of the connection that it is on; `links` counts those of all sessions."""

    links: int

    @property
    def is_writable(self) -> bool:
        """Return whether the client keeps up with what it is sent."""

    @property
    def max_frame(self) -> int:
        """The largest frame that the client takes, in bytes."""

    def send(self, channel: int, performative: amqp.Performative, payload: bytes = b"") -> None:
        """Queue one frame."""


class Session:
    """A session of a connection; it answers on the channel number the client chose."""

    def __init__(self, connection: SessionConnection, channel: int, begin: amqp.Begin) -> None:
        self.namespace = connection.namespace
        self.claims = connection.claims
        self.memory = connection.memory
        self.links: dict[int, Link] = {}
        self._connection = connection
        self._channel = channel
        self._window = SessionWindow(begin)
        self._unsettled = UnsettledDeliveries()
        self._closing: set[int] = set()
        self._next_delivery_id = 1
        self.send(self._window.begin(channel, HANDLE_MAX))

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
        """Release all links."""
        for link in list(self.links.values()):
            self._remove(link)

    def check_rights(self) -> None:
        """Detach the links whose token expired, right was taken away or queue was disabled."""
        for link in list(self.links.values()):
            link.check_rights()

    # Outgoing

    @property
    def can_send(self) -> bool:
        """Return whether a message would leave at once."""
        return self._connection.is_writable and self._window.is_open

    @property
    def can_deliver(self) -> bool:
        """Return whether one more message may be at the client without being settled."""
        if self._unsettled.is_full:
            self._unsettled.forget_unlocked()
        return self.can_send and not self._unsettled.is_full

    def track(self, number: int, delivery: UnsettledDelivery) -> None:
        """Keep a delivery until the client settles it."""
        self._unsettled.add(number, delivery)

    def next_delivery_id(self) -> int:
        """Return the number of the next delivery."""
        number = self._next_delivery_id
        self._next_delivery_id = (number + 1) % SERIAL_NUMBERS
        return number

    def send_transfer(self, transfer: amqp.Transfer, payload: bytes) -> None:
        """Send a message in as many frames as the client's frame size and window ask for."""
        self._window.queue(transfer, payload, self._connection.max_frame)
        self._send_waiting()

    def _send_waiting(self) -> None:
        for transfer, payload in self._window.sendable():
            self.send(transfer, payload)

    def flow(self, link: Link | None = None, *, drain: bool = False) -> None:
        """Send the windows and, with a link, its credit."""
        flow = self._window.flow()
        if link is not None:
            flow = replace(
                flow,
                handle=link.handle,
                delivery_count=link.delivery_count,
                link_credit=link.credit,
                available=0,
                drain=drain,
            )
        self.send(flow)

    def wake(self) -> None:
        """Let links deliver again after a pause."""
        for link in list(self.links.values()):
            link.wake()

    # Frames

    def _on_flow(self, flow: amqp.Flow) -> None:
        could_send = self.can_send
        self._window.on_flow(flow)
        self._send_waiting()
        if flow.handle is None and flow.echo:
            self.flow()
        if not could_send:
            self.wake()
        if flow.handle is not None and flow.handle not in self._closing:
            self._link(flow.handle).on_flow(flow)

    def _on_transfer(self, transfer: amqp.Transfer, payload: bytes) -> None:
        if self._window.count_incoming():
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
        was_full = self._unsettled.is_full
        for answer in self._unsettled.settle(disposition):
            self.send(answer)
        if was_full:
            self.wake()

    def _on_attach(self, attach: amqp.Attach) -> None:
        if attach.handle in self.links or attach.handle > HANDLE_MAX:
            raise AmqpError(HANDLE_IN_USE, "The handle is in use or above handle-max.")
        self._closing.discard(attach.handle)
        try:
            self._check_link_count()
            link = attach_link(self, attach)
        except AmqpError as error:
            self._closing.add(attach.handle)
            refuse_link(self, attach, error)
            return
        self.links[attach.handle] = link
        self._connection.links += 1
        link.start()

    def _check_link_count(self) -> None:
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

    def refuse(self, link: Link, attach: amqp.Attach, error: AmqpError) -> None:
        """Refuse a link whose attach was not answered yet."""
        self._remove(link)
        self._closing.add(link.handle)
        refuse_link(self, attach, error)

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
        self._unsettled.forget_link(link)

    def reply(self, address: Address, reply_to: str | None, payload: bytes) -> None:
        """Send a reply on the link that the client opened for it. Raises AmqpError.

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
