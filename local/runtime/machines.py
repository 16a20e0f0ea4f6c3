"""The machines of a deployment: each has a metadata service, and a place for its programs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from local.deployment.deployment import answered
from local.deployment.resources import MachineSpec


@dataclass
class RunningMachine:
    """A machine whose metadata service is at `url`.

    Nothing runs on it by itself: `environment` makes any program one of that machine.
    """

    spec: MachineSpec
    url: str = ""

    def caller(self) -> MachineSpec:
        """Return who asks the metadata service, by the deployment that is in effect now."""
        return self.spec

    def environment(self, vault_uris: Mapping[str, str], ca_file: Path) -> Mapping[str, str]:
        """Say where the service is, whom to trust, and what the machine's commands are told."""
        return {
            # What the SDKs take in place of http://169.254.169.254.
            "AZURE_POD_IDENTITY_AUTHORITY_HOST": self.url,
            "CURL_CA_BUNDLE": str(ca_file),
            "REQUESTS_CA_BUNDLE": str(ca_file),
            "SSL_CERT_FILE": str(ca_file),
            **answered(self.spec.parameters, vault_uris),
        }

    def status(self) -> Mapping[str, object]:
        """Return where the service is and which identities are attached."""
        own = ["its own"] if self.spec.system_identity else []
        return {"url": self.url, "identities": own + [one.name for one in self.spec.identities]}
