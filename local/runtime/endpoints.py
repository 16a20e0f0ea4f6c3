"""Where everything in a running cloud is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Endpoints:
    """URLs, without a slash at the end except those of vaults; `ca` is what their clients trust.

    `vaults`, `machines` and `apps` are by name. `administration` is that of the bus. `bus` and
    `partner_bus` are `sb://host:port`, as is `bus_plain`, without TLS, where there is one.
    """

    identity: str
    machines: Mapping[str, str]
    vaults: Mapping[str, str]
    bus: str
    administration: str
    partner: str
    partner_bus: str
    ca: Path
    apps: Mapping[str, str]
    bus_plain: str | None = None

    def as_json(self) -> dict[str, object]:
        """Return the content of endpoints.json."""
        machines = {"machines": dict(self.machines)} if self.machines else {}
        return {
            "identity": self.identity,
            **machines,
            "vaults": dict(self.vaults),
            "bus": self.bus,
            "administration": self.administration,
            **({"bus_plain": self.bus_plain} if self.bus_plain else {}),
            "partner": self.partner,
            "partner_bus": self.partner_bus,
            "ca": str(self.ca),
            **self.apps,
        }
