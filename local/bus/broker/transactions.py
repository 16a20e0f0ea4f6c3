"""Transactions: sends and settlements of one entity that happen together, or not at all; pure.

Source: OASIS AMQP 1.0, part 4 (Transactions); Microsoft Learn, "Overview of Service Bus transaction
processing", for the time that a transaction has.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from uuid import UUID, uuid4

from local.bus.amqp.errors import (
    NOT_ALLOWED,
    RESOURCE_LIMIT,
    TRANSACTION_TIMEOUT,
    UNKNOWN_TRANSACTION,
    AmqpError,
)
from local.bus.amqp.message import Message
from local.bus.amqp.values import Described
from local.bus.broker.namespace import Namespace
from local.bus.broker.queue import Queue
from local.bus.broker.settlement import settle

TIMEOUT_SECONDS = 120.0
MAX_STEPS = 100  # as Service Bus allows messages in one transaction
MAX_OPEN = 100  # on one connection
MAX_HELD_BYTES = 16 * 1024 * 1024  # of messages in the open transactions of one connection


@dataclass
class Transaction:
    """What is to happen at its end; nothing of it is seen before."""

    began_at: float
    held: int = 0
    entity: str | None = None
    sends: list[tuple[Queue, tuple[Message, int]]] = field(default_factory=list)
    settlements: list[tuple[Queue, UUID, Described]] = field(default_factory=list)


class Transactions:
    """The open transactions of one connection, by their ids."""

    def __init__(self, namespace: Namespace) -> None:
        self._namespace = namespace
        self._open: dict[bytes, Transaction] = {}

    def declare(self) -> bytes:
        """Begin a transaction; return its id. Raises AmqpError where too many are open."""
        now = self._namespace.clock()
        for transaction_id, one in list(self._open.items()):
            if now - one.began_at > 2 * TIMEOUT_SECONDS:
                del self._open[transaction_id]
        if len(self._open) >= MAX_OPEN:
            raise AmqpError(RESOURCE_LIMIT, "Too many transactions are open on one connection.")
        transaction_id = uuid4().bytes
        self._open[transaction_id] = Transaction(now)
        return transaction_id

    def send(
        self, transaction_id: bytes, queue: Queue, messages: Sequence[tuple[Message, int]]
    ) -> None:
        """Let messages be sent at the end. Raises AmqpError for those that cannot be."""
        transaction = self._enlist(transaction_id, queue, len(messages))
        self._namespace.check(queue, messages)
        size = sum(size for _, size in messages)
        if sum(one.held for one in self._open.values()) + size > MAX_HELD_BYTES:
            raise AmqpError(RESOURCE_LIMIT, "Too much is kept for one connection.")
        transaction.held += size
        transaction.sends.extend((queue, message) for message in messages)

    def settle(self, transaction_id: bytes, queue: Queue, token: UUID, outcome: Described) -> None:
        """Let a message be settled at the end. Raises AmqpError where it is not locked."""
        transaction = self._enlist(transaction_id, queue, 1)
        queue.require_lock(token, self._namespace.clock())
        transaction.settlements.append((queue, token, outcome))

    def discharge(self, transaction_id: bytes, *, fails: bool) -> None:
        """End a transaction: all of it happens, or with `fails` nothing.

        Raises AmqpError, and nothing of it happens, where any of it cannot any more.
        """
        transaction = self._find(transaction_id)
        del self._open[transaction_id]
        if fails:
            return
        now = self._namespace.clock()
        for queue, token, _ in transaction.settlements:
            queue.require_lock(token, now)
        if len({token for _, token, _ in transaction.settlements}) < len(transaction.settlements):
            raise AmqpError(NOT_ALLOWED, "A message is settled twice in one transaction.")
        by_queue: dict[Queue, list[tuple[Message, int]]] = {}
        for queue, message in transaction.sends:
            by_queue.setdefault(queue, []).append(message)
        for queue, messages in by_queue.items():
            self._namespace.check(queue, messages)
        for queue, token, outcome in transaction.settlements:
            settle(queue, token, outcome, now)
        for queue, messages in by_queue.items():
            self._namespace.send(queue, messages)
        for queue in {queue for queue, _, _ in transaction.settlements}:
            self._namespace.changed(queue)

    def _find(self, transaction_id: bytes) -> Transaction:
        transaction = self._open.get(transaction_id)
        if transaction is None:
            raise AmqpError(UNKNOWN_TRANSACTION, "The transaction is not open on this connection.")
        if self._namespace.clock() - transaction.began_at > TIMEOUT_SECONDS:
            del self._open[transaction_id]
            raise AmqpError(
                TRANSACTION_TIMEOUT, f"The transaction took over {TIMEOUT_SECONDS:.0f} seconds."
            )
        return transaction

    def _enlist(self, transaction_id: bytes, queue: Queue, steps: int) -> Transaction:
        transaction = self._find(transaction_id)
        if transaction.entity not in (None, queue.spec.name):
            raise AmqpError(
                NOT_ALLOWED,
                f"A transaction is of one entity here, and this one is of {transaction.entity}: "
                f"{queue.spec.name} cannot be a part of it.",
            )
        transaction.entity = queue.spec.name
        if len(transaction.sends) + len(transaction.settlements) + steps > MAX_STEPS:
            raise AmqpError(
                RESOURCE_LIMIT, f"A transaction has at most {MAX_STEPS} messages in it."
            )
        return transaction
