"""What the services of one cloud share."""

from __future__ import annotations

import ssl
from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path

from local.authorization.audit_log import AuditLog
from local.authorization.authorization import Authorization
from local.faults.faults import Faults
from local.identity.tokens import TokenIssuer
from local.net.folder import Folder
from local.runtime.events import CloudEvents
from local.runtime.ports import Ports


@dataclass(frozen=True)
class ServiceContext:
    """What each service is given; `on_event` gets a line for each event that a user should see.

    `events` are for whoever watches the services at work. `round_trip`: the seconds that vaults,
    bus and database seem to be away from the apps.
    """

    folder: Folder
    ports: Ports
    ca_file: Path
    tls: ssl.SSLContext
    issuer: TokenIssuer
    authorization: Authorization
    audit_log: AuditLog
    faults: Faults
    on_event: Callable[[str], None]
    round_trip: float = 0.0
    events: CloudEvents = field(default_factory=CloudEvents)

    def free_port(self, name: str, usual: int) -> int:
        """Find a port for a program outside this cloud, and leave it to that program."""
        with self.ports.reserve(name, usual) as found:
            return int(found.getsockname()[1])

    def reserve_port(self, stack: AsyncExitStack, name: str, usual: int) -> int:
        """Keep a port until the stack ends, whether anything listens there or not."""
        kept = stack.enter_context(self.ports.reserve(name, usual))
        return int(kept.getsockname()[1])
