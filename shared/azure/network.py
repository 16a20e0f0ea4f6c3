"""How the Azure services are reached, where that differs from the public cloud."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from shared.standards.addresses import is_local


@dataclass(frozen=True)
class ConnectionOptions:
    """What private deployments need: a CA, an address of the bus, and host names of their own.

    `proxy`, `http://host:port`, is how Key Vault and webhooks are reached, save those on this
    machine; the bus never is. `verify_challenge` off lets a vault on loopback be called, whose host
    name is not Key Vault's own; the client then trusts the configured address alone, as it also
    does for the TLS connection.
    """

    ca_bundle: Path | None = None
    bus_endpoint: str | None = None
    verify_challenge: bool = True
    proxy: str | None = None

    def proxy_to(self, host: str) -> str | None:
        """Return the proxy for requests to `host`, None where it is reached directly."""
        return None if self.proxy is None or is_local(host) else self.proxy
