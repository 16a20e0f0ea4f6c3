"""The bus of a deployment, which can be stopped and started while all else goes on."""

from __future__ import annotations

import time
from collections.abc import Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, field

from local.bus.broker.journal import Journal
from local.bus.security.access import IdentityAccess
from local.bus.security.identity_keys import IdentityKey, IdentityKeyAccess
from local.bus.server.connection import MAX_REFUSED
from local.bus.server.server import MAX_CONNECTIONS, BusServer
from local.deployment.resources import NamespaceSpec
from local.net.loopback import LOOPBACK, listen
from local.runtime.bus_audit import BusAudit
from local.runtime.bus_faults import FaultyAvailability
from local.runtime.context import ServiceContext

_PORT = 5671
_PLAIN_PORT = 5673  # the partner's queue has the usual port of plain AMQP


class RunningBus:
    """The server of a namespace at a port that is kept for it; `server` is another after a restart.

    Its messages are in a journal in the cloud's folder. `plain`: another port, without TLS, and the
    keys of identities that are taken there.
    """

    def __init__(
        self,
        namespace: NamespaceSpec,
        context: ServiceContext,
        port: int,
        plain: tuple[int, Mapping[str, IdentityKey]] | None,
    ) -> None:
        self.namespace = namespace
        self.url = f"sb://{LOOPBACK}:{port}"
        self.keyed = KeyedBus(f"sb://{LOOPBACK}:{plain[0]}", plain[1]) if plain else None
        self.access = IdentityAccess(namespace, context.issuer, context.authorization)
        self._context = context
        self._port = port
        self._plain = plain
        self.server, self._journal = self._open()

    async def listen(self) -> None:
        """Accept connections."""
        listening = listen(self._port, MAX_CONNECTIONS + MAX_REFUSED, reserved=True)
        await self.server.listen_on(listening, self._context.tls)
        if self._plain is not None:
            port, keys = self._plain
            access = IdentityKeyAccess(keys, self.access, time.time)
            await self.server.listen_on(listen(port, MAX_CONNECTIONS, reserved=True), access=access)

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
        audit = BusAudit(self.namespace, context.authorization, context.audit_log)
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


@dataclass(frozen=True)
class KeyedBus:
    """Where a bus takes the keys of identities, and the keys by their names."""

    url: str
    keys: Mapping[str, IdentityKey] = field(repr=False)

    def connection_string(self, name: str) -> str:
        """Return the connection string of an identity, for clients that know the emulator."""
        return (
            f"Endpoint={self.url};SharedAccessKeyName={name};"
            f"SharedAccessKey={self.keys[name].key};UseDevelopmentEmulator=true"
        )


async def start_bus(
    stack: AsyncExitStack,
    context: ServiceContext,
    namespace: NamespaceSpec,
    keys: Mapping[str, IdentityKey] | None = None,
) -> RunningBus:
    """Serve a namespace until the stack ends; with `keys` at a plain port as well."""
    # No other program may listen there while the bus is stopped.
    port = context.reserve_port(stack, "bus", _PORT)
    plain = (context.reserve_port(stack, "bus_plain", _PLAIN_PORT), keys) if keys else None
    bus = RunningBus(namespace, context, port, plain)
    stack.push_async_callback(bus.stop)
    await bus.listen()
    return bus
