"""Links on which a client receives the messages of one message session."""

from __future__ import annotations

from dataclasses import replace

from local.bus.amqp import performatives as amqp
from local.bus.amqp.errors import TIMEOUT, AmqpError, SessionLockLostError
from local.bus.amqp.values import Long, Symbol, Value
from local.bus.broker.address import Address
from local.bus.broker.message_sessions import MessageSessionLock
from local.bus.broker.queue import Queue
from local.bus.security.principal import Principal
from local.bus.server.link import LinkSession
from local.bus.server.outgoing import QueueReceiver
from local.bus.server.terminus import SessionFilter, with_session

DEFAULT_TIMEOUT_SECONDS = 60.0
_TIMEOUT = Symbol("com.microsoft:timeout")  # milliseconds that a client waits for a session
_LOCKED_UNTIL = Symbol("com.microsoft:locked-until-utc")
_TICKS_AT_1970 = 621_355_968_000_000_000  # ticks are of 100 ns, since the year 1


class SessionReceiver(QueueReceiver):
    """Delivers the messages of a session that it locks; it may wait for one that is free.

    Its attach is answered when it has a session.
    """

    def __init__(
        self,
        session: LinkSession,
        attach: amqp.Attach,
        address: Address,
        queue: Queue,
        holder: Principal,
        wanted: SessionFilter,
    ) -> None:
        super().__init__(session, attach, address, queue, holder)
        self.name = attach.name
        self._attach = attach
        self._wanted = wanted
        self.deadline = session.namespace.clock() + _timeout(attach)

    @property
    def owner(self) -> object:
        """What else may use the lock: everything on the same connection."""
        return self.session.claims

    def start(self) -> None:
        """Lock the session, or wait for one."""
        sessions, namespace = self._queue.sessions, self.session.namespace
        if sessions is None or self._wanted.session_id is None:
            namespace.wait_for_session(self._queue, self)
            return
        try:
            self._queue.advance(namespace.clock())
            self.accept(sessions.accept(self._wanted.session_id, namespace.clock(), self.owner))
        except AmqpError as error:
            self.session.refuse(self, self._attach, error)

    def accept(self, lock: MessageSessionLock) -> None:
        """Take a session, and answer the attach."""
        self.message_session = lock
        self.session.namespace.changed(self._queue)
        self.session.send(
            replace(
                self._attach,
                role=not self._attach.role,
                source=with_session(self._attach, lock.session_id),
                unsettled=None,
                initial_delivery_count=0,
                offered_capabilities=None,
                desired_capabilities=None,
                properties={_LOCKED_UNTIL: Long(round(lock.until * 10_000_000) + _TICKS_AT_1970)},
            )
        )
        self.wake()

    def timed_out(self) -> None:
        """Refuse the attach: there was no session in time."""
        error = AmqpError(TIMEOUT, "The operation did not complete within the allotted timeout.")
        self.session.refuse(self, self._attach, error)

    def session_lost(self) -> None:
        """End the link: its session may be another's by now."""
        self.session.detach(self, SessionLockLostError())

    def wake(self) -> None:
        """Ask for messages, as soon as there is a session."""
        if self.message_session is not None:
            # Also without credit: who has a session hears that it is lost.
            self.session.namespace.add_consumer(self._queue, self)

    def stop(self) -> None:
        """Give the session back; what was not settled comes again."""
        namespace, sessions = self.session.namespace, self._queue.sessions
        namespace.stop_waiting(self._queue, self)
        super().stop()
        if sessions is not None and self.message_session is not None:
            sessions.release(self.message_session)
            namespace.changed(self._queue)


def _timeout(attach: amqp.Attach) -> float:
    given: Value = (attach.properties or {}).get(_TIMEOUT)
    if isinstance(given, int) and not isinstance(given, bool) and given > 0:
        return given / 1000
    return DEFAULT_TIMEOUT_SECONDS
