"""How the Azure services are reached, where that differs from the public cloud."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class ConnectionOptions:
    """What private deployments need: a CA, an address of the bus, and host names of their own.

    `verify_challenge` off lets a vault be called by a host name that is not Key Vault's own; the
    client then trusts the configured address alone, as it also does for the TLS connection.
    """

    ca_bundle: Path | None = None
    bus_endpoint: str | None = None
    verify_challenge: bool = True
