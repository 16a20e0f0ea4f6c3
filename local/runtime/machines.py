"""The machines of a deployment: each has a metadata service, and an environment for programs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path

from local.deployment.deployment import resolved
from local.deployment.resources import MachineSpec
from local.identity.imds import imds_endpoint
from local.net.loopback import LOOPBACK
from local.net.serving import serve
from local.net.trust import trust_variables
from local.runtime.context import ServiceContext
from local.runtime.fault_middleware import imds_faults

_FIRST_PORT = 7081


@dataclass
class RunningMachine:
    """A machine whose metadata service is at `url`; `spec` is that of the deployment in effect.

    Nothing runs on it by itself: `environment` makes any program one of that machine.
    """

    spec: MachineSpec
    url: str
    environment: Mapping[str, str] = field(repr=False)

    def caller(self) -> MachineSpec:
        """Return who calls the metadata service, by the deployment that is in effect now."""
        return self.spec

    def status(self) -> Mapping[str, object]:
        """Return where the service is and which identities are attached."""
        own = ["its own"] if self.spec.system_identity else []
        return {"url": self.url, "identities": own + [one.name for one in self.spec.identities]}


async def start_machines(
    stack: AsyncExitStack,
    context: ServiceContext,
    specs: Sequence[MachineSpec],
    vault_urls: Mapping[str, str],
) -> Mapping[str, RunningMachine]:
    """Serve the metadata of each machine; `vault_urls` are by the vaults' resource ids."""
    machines = {}
    for position, spec in enumerate(specs):
        listening = context.ports.bind(f"machine {spec.name}", _FIRST_PORT + position)
        url = f"http://{LOOPBACK}:{listening.getsockname()[1]}"
        parameters = resolved(spec.parameters, vault_urls)
        machine = RunningMachine(spec, url, {**_environment(url, context.ca_file), **parameters})
        app = imds_endpoint(context.issuer, machine.caller, context.audit_log)
        app.middlewares.append(imds_faults(context.faults))
        await serve(stack, app, listening)
        machines[spec.name] = machine
    return machines


def _environment(url: str, ca_file: Path) -> dict[str, str]:
    # What the SDKs take in place of http://169.254.169.254.
    return {"AZURE_POD_IDENTITY_AUTHORITY_HOST": url, **trust_variables(ca_file)}
