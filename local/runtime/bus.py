"""The bus of a deployment, which can be stopped and started while all else goes on."""

from __future__ import annotations

from contextlib import AsyncExitStack

from local.bus.broker.journal import Journal
from local.bus.security.access import IdentityAccess
from local.bus.server.server import MAX_CONNECTIONS, BusServer
from local.deployment.resources import NamespaceSpec
from local.net.loopback import LOOPBACK, listen
from local.runtime.bus_audit import BusAudit
from local.runtime.bus_faults import FaultyAvailability
from local.runtime.context import ServiceContext

_PORT = 5671


class RunningBus:
    """The server of a namespace at a port that is kept for it; `server` is another after a restart.

    Its messages are in a journal in the cloud's folder.
    """

    def __init__(self, namespace: NamespaceSpec, context: ServiceContext, port: int) -> None:
        self.namespace = namespace
        self.url = f"sb://{LOOPBACK}:{port}"
        self.access = IdentityAccess(namespace, context.issuer, context.authorization)
        self._context = context
        self._port = port
        self.server, self._journal = self._open()

    async def listen(self) -> None:
        """Accept connections."""
        listening = listen(self._port, MAX_CONNECTIONS, reserved=True)
        await self.server.listen_on(listening, self._context.tls)

    async def stop(self) -> None:
        """Stop it, as an outage does: connections end, messages stay in the journal."""
        await self.server.close()
        self._journal.close()

    async def restart(self) -> None:
        """Stop it and start it again, with what the journal holds; locks are lost."""
        await self.stop()
        self.server, self._journal = self._open()
        await self.listen()

    def _open(self) -> tuple[BusServer, Journal]:
        context = self._context
        audit = BusAudit(self.namespace, context.authorization, context.audit_log, context.events)
        journal = Journal(context.folder.subfolder("bus") / "journal.sqlite3")
        try:
            server = BusServer(
                self.namespace,
                self.access,
                journal=journal,
                audit=audit,
                availability=FaultyAvailability(context.faults, self.namespace.name),
                round_trip=context.round_trip,
            )
        except BaseException:
            journal.close()
            raise
        return server, journal


async def start_bus(
    stack: AsyncExitStack, context: ServiceContext, namespace: NamespaceSpec
) -> RunningBus:
    """Serve a namespace until the stack ends."""
    # No other program may listen there while the bus is stopped.
    port = context.reserve_port(stack, "bus", _PORT)
    bus = RunningBus(namespace, context, port)
    stack.push_async_callback(bus.stop)
    await bus.listen()
    return bus
