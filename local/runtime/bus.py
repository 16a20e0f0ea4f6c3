"""The bus of a deployment, which can be stopped and started while all else goes on."""

from __future__ import annotations

import time
from collections.abc import Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path

from local.bus.administration import kept
from local.bus.administration.application import Administration
from local.bus.broker.forwarding import check_forwarding
from local.bus.broker.journal import Journal, JournalError
from local.bus.security.access import IdentityAccess
from local.bus.security.identity_keys import IdentityKey, IdentityKeyAccess
from local.bus.server.connection import MAX_REFUSED
from local.bus.server.server import MAX_CONNECTIONS, BusServer
from local.deployment.resources import NamespaceSpec, QueueSpec
from local.net.folder import Folder
from local.net.loopback import LOOPBACK, listen
from local.net.serving import serve
from local.runtime.bus_audit import BusAudit
from local.runtime.bus_faults import FaultyAvailability
from local.runtime.context import ServiceContext

_PORT = 5671
_ADMINISTRATION_PORT = 5300
_KEPT = "entities.json"
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
        self._is_stopped = False
        self._folder = context.folder.subfolder("bus")
        self._entities = _kept_entities(self._folder / _KEPT, namespace)
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
        self._is_stopped = True
        await self.server.close()
        self._journal.close()

    async def restart(self) -> None:
        """Stop it and start it again, with what the journal holds; locks are lost."""
        await self.stop()
        self.server, self._journal = self._open()
        await self.listen()
        self._is_stopped = False

    def administration(self) -> Administration:
        """Return what administers the namespace; it is refused while the bus is stopped."""
        return Administration(
            self.namespace,
            self.access,
            lambda: None if self._is_stopped else self.server.namespace,
            self._on_administered,
            self._audit(),
        )

    def _audit(self) -> BusAudit:
        context = self._context
        return BusAudit(self.namespace, context.authorization, context.audit_log, context.events)

    def _on_administered(self) -> None:
        self.server.entities_changed()

    def _keep_entities(self) -> None:
        self._entities = [one.spec for one in self.server.namespace.entities()]
        content = kept.dump(self._entities, self.namespace)
        Folder(self._folder).write_private(_KEPT, content)

    def _open(self) -> tuple[BusServer, Journal]:
        context = self._context
        journal = Journal(self._folder / "journal.sqlite3")
        try:
            server = BusServer(
                self.namespace,
                self.access,
                journal=journal,
                audit=self._audit(),
                availability=FaultyAvailability(context.faults, self.namespace.name),
                round_trip=context.round_trip,
                on_change=self._keep_entities,
                entities=self._entities,
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


async def start_administration(
    stack: AsyncExitStack, context: ServiceContext, bus: RunningBus
) -> str:
    """Serve the administration of the bus until the stack ends; return its URL."""
    listening = context.ports.bind("administration", _ADMINISTRATION_PORT)
    application = bus.administration().application
    return await serve(stack, application, listening, context.tls, round_trip=context.round_trip)


def _kept_entities(path: Path, namespace: NamespaceSpec) -> list[QueueSpec]:
    check_forwarding(namespace.entities)
    try:
        return kept.load(path.read_text(encoding="utf-8"), namespace)
    except FileNotFoundError:
        return list(namespace.entities)
    except ValueError as error:
        raise JournalError(
            path, f"cannot be read ({error}); without the file what was administered is gone"
        ) from None
