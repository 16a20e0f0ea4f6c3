"""Links on which the client receives: messages of queues, replies of $cbs and $management."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from uuid import UUID, uuid4

from local.bus.amqp import performatives as amqp
from local.bus.amqp.errors import NOT_IMPLEMENTED, AmqpError
from local.bus.amqp.values import Described, Symbol
from local.bus.broker.address import Address
from local.bus.broker.delivery import encode_entry
from local.bus.broker.entry import QueueEntry
from local.bus.broker.message_sessions import MessageSessionLock
from local.bus.broker.queue import Queue
from local.bus.broker.settlement import rejected, settle
from local.bus.security.principal import Principal, Right
from local.bus.server.coordinator import in_transaction, outcome_in, transaction_of
from local.bus.server.flow_control import SERIAL_NUMBERS
from local.bus.server.link import Link, LinkSession

_TRANSACTION = Symbol("txn-id")
REPLY_OVERHEAD = 1024  # bytes that keeping a reply takes beside its own, generously


class OutgoingLink(Link):
    """Follows the client's credit."""

    def __init__(
        self,
        session: LinkSession,
        attach: amqp.Attach,
        address: Address,
        right: Right | None,
        holder: Principal | None = None,
    ) -> None:
        super().__init__(session, attach, address, right, holder)
        self._drain = False

    def on_flow(self, flow: amqp.Flow) -> None:
        """Take the client's credit; a drain is answered when what is there has been sent."""
        if _TRANSACTION in (flow.properties or {}):
            raise AmqpError(NOT_IMPLEMENTED, "Messages cannot be received in a transaction.")
        if flow.link_credit is not None:
            seen = flow.delivery_count or 0
            in_flight = (self.delivery_count - seen) % SERIAL_NUMBERS
            self.credit = max(0, flow.link_credit - in_flight)
        self.wake()
        if flow.drain:
            self.delivery_count = (self.delivery_count + self.credit) % SERIAL_NUMBERS
            self.credit = 0
        if flow.drain or flow.echo:
            self.session.flow(self, drain=flow.drain)

    def _transfer(self, tag: bytes, payload: bytes, *, settled: bool) -> int:
        number = self.session.next_delivery_id()
        self.credit -= 1
        self.delivery_count = (self.delivery_count + 1) % SERIAL_NUMBERS
        self.session.send_transfer(
            amqp.Transfer(self.handle, number, tag, 0, settled=settled), payload
        )
        return number


class QueueReceiver(OutgoingLink):
    """Delivers a queue's messages, locked, or deleted as they are sent."""

    def __init__(
        self,
        session: LinkSession,
        attach: amqp.Attach,
        address: Address,
        queue: Queue,
        holder: Principal,
    ) -> None:
        super().__init__(session, attach, address, "listen", holder)
        self.deletes = attach.snd_settle_mode == amqp.SETTLED
        self.message_session: MessageSessionLock | None = None
        self._queue = queue

    def stop(self) -> None:
        """Take no more messages; locks of those taken last until they expire."""
        self.session.namespace.remove_consumer(self._queue, self)

    def wake(self) -> None:
        """Ask for messages."""
        if self.credit > 0:
            self.session.namespace.add_consumer(self._queue, self)

    def session_lost(self) -> None:
        """Do nothing: there is none."""

    def is_ready(self) -> bool:
        """Return whether there still is credit, room and the right to listen."""
        if self.credit <= 0 or not self.session.can_deliver or not self.check_rights():
            return False
        try:
            self.session.namespace.availability.require(self._queue, "receive")
        except AmqpError as error:
            # There is no message to refuse: who is throttled in receiving learns it by a detach.
            self.session.detach(self, error)
            return False
        return True

    def check_queue(self) -> None:
        """Raise AmqpError where the link's queue does not keep it open."""
        self.session.namespace.availability.require(self._queue, "keep-receive")

    def deliver(self, entry: QueueEntry) -> None:
        """Send a message, its lock token as the tag; one that is deleted has an empty tag."""
        lock = entry.lock
        # Source of the empty tag: azure-servicebus 7.15, tests/test_message.py; @azure/service-bus
        # 7.9.5, serviceBusMessage.js.
        tag = lock.token.bytes_le if lock else b""
        number = self._transfer(tag, encode_entry(entry), settled=lock is None)
        if lock is not None:
            self.session.track(number, LockedDelivery(self, lock.token))
        if self.holder is not None:
            ids = (entry.message.message_id,)
            self.session.claims.transferred("listen", self.holder, self.address, ids)

    def settle(self, token: UUID, state: Described) -> Described | None:
        """Apply an outcome; return the one to answer, or None where there was none."""
        namespace = self.session.namespace
        try:
            transaction_id = transaction_of(state)
            if transaction_id is not None:
                outcome = outcome_in(state)
                self.session.transactions.settle(transaction_id, self._queue, token, outcome)
                return in_transaction(transaction_id, outcome)
            answer = settle(self._queue, token, state, namespace.clock())
        except AmqpError as error:
            return rejected(error)
        namespace.changed(self._queue)
        return answer

    def is_locked(self, token: UUID) -> bool:
        """Return whether the lock of that token lasts."""
        return self._queue.store.holding(token) is not None


@dataclass(frozen=True)
class LockedDelivery:
    """A message at the client, locked by `token` until the client settles it."""

    link: QueueReceiver
    token: UUID

    def settle(self, state: Described | None) -> Described | None:
        """Apply an outcome; return the one to answer, or None where there was none."""
        return None if state is None else self.link.settle(self.token, state)

    def is_locked(self) -> bool:
        """Return whether the lock lasts."""
        return self.link.is_locked(self.token)


class ReplyLink(OutgoingLink):
    """Carries the replies of a request node; `target` is the address that requests ask for."""

    def __init__(
        self, session: LinkSession, attach: amqp.Attach, address: Address, target: str | None
    ) -> None:
        super().__init__(session, attach, address, None)
        self.target = target
        self._pending: deque[bytes] = deque()

    def reply(self, payload: bytes) -> None:
        """Send a reply as soon as there is credit."""
        self.session.memory.reserve(len(payload) + REPLY_OVERHEAD)
        self._pending.append(payload)
        self.wake()

    def wake(self) -> None:
        """Send what waits."""
        while self._pending and self.credit > 0 and self.session.can_send:
            payload = self._pending.popleft()
            self.session.memory.release(len(payload) + REPLY_OVERHEAD)
            self._transfer(uuid4().bytes, payload, settled=True)

    def stop(self) -> None:
        """Drop what waits."""
        for payload in self._pending:
            self.session.memory.release(len(payload) + REPLY_OVERHEAD)
        self._pending.clear()
