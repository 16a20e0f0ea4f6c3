"""What is kept of messages, as its officer reaches it: the ledger, and the rejected messages."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from azure.servicebus.aio import ServiceBusClient

from ops.credentials import operator_credential
from ops.namespace import NAMESPACE
from ops.queue_job import Action, QueueJob, Source
from ops.rejected import Rejected
from ops.secret_target import SecretTarget
from ops.target import Target, local_environment
from ops.worklist import Worklist
from shared.azure.queues import connect
from shared.azure.vault_secret import VaultSecret
from shared.ledger.ledger import Ledger
from shared.ledger.pruning import RetainedLedger

OFFICER = "records_officer"
DATABASE = "database-connection"

_SECRET_SECONDS = 300.0
_AUTHORITIES = "RELAY_CA_BUNDLE"


@dataclass(frozen=True)
class RecordsTarget:
    """Where the records of a deployment are: its bus, and the secret of its database.

    `ca_file` is a PEM file of those to trust for the database's TLS, instead of the public ones.
    """

    bus: Target
    secret: SecretTarget
    ca_file: Path | None = None

    @classmethod
    def in_azure(
        cls, namespace: str | None, vault: str | None, environ: Mapping[str, str]
    ) -> RecordsTarget:
        """Take what is not given from the environment. Raises `TargetNotGivenError`."""
        given = {NAMESPACE: namespace} if namespace else {}
        authorities = environ.get(_AUTHORITIES)
        return cls(
            Target.from_environment({**environ, **given}),
            SecretTarget.in_azure(DATABASE, vault, environ),
            Path(authorities) if authorities else None,
        )

    @classmethod
    def in_folder(cls, folder: Path | None) -> RecordsTarget:
        """Ask the local cloud that is up in a folder. Raises `LocalCloudError`."""
        bus = Target.from_environment(local_environment(OFFICER, folder), is_local=True)
        return cls(bus, SecretTarget.in_folder(DATABASE, OFFICER, folder))

    @asynccontextmanager
    async def opened(self) -> AsyncIterator[Records]:
        """Give the records under the officer's own identity. Raises `LedgerError` without them."""
        async with AsyncExitStack() as stack:
            credential = operator_credential(is_local=self.bus.is_local)
            await stack.enter_async_context(credential)
            client = connect(self.bus.namespace, credential, self.bus.network)
            await stack.enter_async_context(client)
            secret = VaultSecret(
                self.secret.secret, credential, _SECRET_SECONDS, self.secret.network
            )
            stack.push_async_callback(secret.close)
            ledger = Ledger(secret, self.ca_file)
            stack.push_async_callback(ledger.close)
            retained = RetainedLedger(secret, self.ca_file)
            stack.push_async_callback(retained.close)
            # Before anything is removed anywhere: the rest would not know of it.
            await ledger.check()
            yield Records(client, self.bus, ledger, retained)


@dataclass(frozen=True)
class Records:
    """The records of a deployment, within reach."""

    client: ServiceBusClient
    bus: Target
    ledger: Ledger
    retained: RetainedLedger

    async def rejected(self) -> Sequence[Rejected]:
        """Return all that is on the queue of rejected messages, dead-lettered or not."""
        return [message for source in self._sources() async for message in source.look()]

    async def waiting(self) -> Sequence[Rejected]:
        """Return all that waits on the queue of retries, only to see whose it is."""
        return [message async for message in Source(self.client, self.bus.retries).look()]

    def jobs(
        self,
        wanted: Sequence[Rejected],
        there: Sequence[Rejected],
        action: Action,
        stop: asyncio.Event,
    ) -> Sequence[QueueJob]:
        """Return the jobs that take `wanted` of the messages that are there off their queues."""
        return [
            QueueJob(
                source,
                Worklist.of(
                    [one for one in wanted if one.dead_lettered == source.dead_lettered],
                    [one for one in there if one.dead_lettered == source.dead_lettered],
                ),
                action,
                lambda _: None,
                stop,
            )
            for source in self._sources()
        ]

    def _sources(self) -> Sequence[Source]:
        queue = self.bus.rejected
        return [Source(self.client, queue), Source(self.client, queue, dead_lettered=True)]
