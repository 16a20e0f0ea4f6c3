"""Links on which the client sends: messages to queues, requests to $cbs and $management."""

from __future__ import annotations

from collections.abc import Callable

from local.bus.amqp import performatives as amqp
from local.bus.amqp.decoding import DecodeError
from local.bus.amqp.errors import (
    DECODE_ERROR,
    NOT_ALLOWED,
    TRANSFER_LIMIT,
    AmqpError,
    MessageTooLargeError,
    QueueDisabledError,
    UnauthorizedError,
)
from local.bus.amqp.message import parse
from local.bus.amqp.sections import BATCH_FORMAT, split_batch
from local.bus.amqp.values import Described
from local.bus.broker.address import Address
from local.bus.broker.queue import Queue
from local.bus.broker.settlement import ACCEPTED, rejected
from local.bus.security.principal import Right
from local.bus.server.coordinator import coordinate, in_transaction, transaction_of
from local.bus.server.link import Link, LinkSession

CREDIT = 1000

Node = Callable[[Link, amqp.Transfer, bytes], Described | None]
"""Takes a message; returns the outcome, or None where that is `accepted`. Raises AmqpError."""


class IncomingLink(Link):
    """Assembles messages from their frames and passes them to a node.

    `limit` is the largest message in bytes; `queue` is where they go, if it is a queue.
    """

    def __init__(
        self,
        session: LinkSession,
        attach: amqp.Attach,
        address: Address,
        right: Right | None,
        node: Node,
        limit: int,
        queue: Queue | None = None,
    ) -> None:
        super().__init__(session, attach, address, right)
        self.limit = limit
        self._queue = queue
        self.delivery_count = attach.initial_delivery_count or 0
        self._node = node
        self._first: amqp.Transfer | None = None
        self._parts = bytearray()
        self._size = 0

    def start(self) -> None:
        """Grant the client credit."""
        self._grant()

    def stop(self) -> None:
        """Drop a message that is not complete."""
        self._drop_parts()

    def check_queue(self) -> None:
        """Raise AmqpError where the link's queue does not keep it open."""
        if self._queue is not None:
            self.session.namespace.availability.require(self._queue, "keep-send")

    def on_flow(self, flow: amqp.Flow) -> None:
        """Answer, where the client asks for an answer."""
        if flow.echo:
            self.session.flow(self)

    def on_transfer(self, transfer: amqp.Transfer, payload: bytes) -> None:
        """Accept one frame of a message."""
        if self._first is None:
            self._begin(transfer)
        if transfer.aborted:
            self._drop_parts()
            return
        self._add(payload)
        if not transfer.more:
            self._finish()

    def _begin(self, transfer: amqp.Transfer) -> None:
        if transfer.delivery_id is None:
            raise AmqpError(NOT_ALLOWED, "A delivery needs an id.")
        if self.credit <= 0:
            raise AmqpError(TRANSFER_LIMIT, "The link has no credit.")
        self._first = transfer

    def _add(self, payload: bytes) -> None:
        self._size += len(payload)
        # Nothing is kept of a message above the limit, however long the client goes on.
        if self._size > self.limit:
            self._clear()
            return
        self.session.memory.reserve(len(payload))
        self._parts += payload

    def _clear(self) -> None:
        self.session.memory.release(len(self._parts))
        self._parts.clear()

    def _drop_parts(self) -> None:
        self._clear()
        self._first, self._size = None, 0

    def _finish(self) -> None:
        first, data, size = self._first, bytes(self._parts), self._size
        self._drop_parts()
        self.credit -= 1
        self.delivery_count += 1
        if first is None or first.delivery_id is None:
            return
        error, state = self._accept(first, data, size)
        if not first.settled:
            number = first.delivery_id
            self.session.send(
                amqp.Disposition(amqp.RECEIVER, number, number, settled=True, state=state)
            )
        if isinstance(error, UnauthorizedError | QueueDisabledError):
            # A right taken away ends the link itself, as in Azure: the client has to attach again.
            # So does a queue that is disabled.
            self.session.detach(self, error)
        elif self.credit < CREDIT // 2:
            self._grant()

    def _accept(
        self, first: amqp.Transfer, data: bytes, size: int
    ) -> tuple[AmqpError | None, Described]:
        """Return why the message is refused, if it is, and the outcome to answer."""
        try:
            self._check_size(size)
            return None, self._node(self, first, data) or ACCEPTED
        except DecodeError as error:
            refused = AmqpError(DECODE_ERROR, str(error))
        except AmqpError as error:
            refused = error
        return refused, rejected(refused)

    def _check_size(self, size: int) -> None:
        if size > self.limit:
            raise MessageTooLargeError(size, self.limit)

    def _grant(self) -> None:
        self.credit = CREDIT
        self.session.flow(self)


def coordinator_node(link: Link, _first: amqp.Transfer, data: bytes) -> Described:
    """Begin or end a transaction."""
    return coordinate(link, data)


def queue_node(queue: Queue) -> Node:
    """Make the node that puts what arrives into a queue."""

    def accept(link: Link, first: amqp.Transfer, data: bytes) -> Described | None:
        claims = link.session.claims
        holder = claims.require("send", link.address)
        encoded = split_batch(data) if first.message_format == BATCH_FORMAT else [data]
        messages = [(parse(one), len(one)) for one in encoded]
        transaction_id = transaction_of(first.state)
        if transaction_id is None:
            link.session.namespace.send(queue, messages)
        else:
            link.session.transactions.send(transaction_id, queue, messages)
        ids = [message.message_id for message, _ in messages]
        claims.transferred("send", holder, link.address, ids)
        return None if transaction_id is None else in_transaction(transaction_id, ACCEPTED)

    return accept
