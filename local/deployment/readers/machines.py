"""Virtual machines: their identities, and the parameters of the commands that they run."""

from __future__ import annotations

from local.deployment.readers.identities import Attached
from local.deployment.readers.references import References
from local.deployment.resource_id import normal, parent
from local.deployment.resources import MachineSpec
from local.deployment.snapshot import SnapshotResource
from local.resource_manager.expressions import Reference

KIND = "Microsoft.Compute/virtualMachines"
COMMAND_KIND = "Microsoft.Compute/virtualMachines/runCommands"


def read(
    resource: SnapshotResource,
    identities: Attached,
    commands: list[SnapshotResource],
    references: References,
) -> MachineSpec:
    """Read a machine whose `identity` has been read; what it runs, a program of the user does."""
    body = resource.properties
    # What it is made of, how it is kept safe and how it is reached: here it is this machine.
    body.ignore("hardwareProfile", "storageProfile", "networkProfile", "securityProfile")
    body.ignore("diagnosticsProfile")
    system = body.body("osProfile")
    system.ignore("adminUsername", "linuxConfiguration", "allowExtensionOperations")
    name = system.text("computerName")
    system.reject_unread()
    resource.reject_unread()
    parameters: dict[str, str | Reference] = {}
    for command in commands:
        if normal(parent(command.id)) == normal(resource.id):
            parameters |= _parameters(command, references)
    return MachineSpec(
        resource.id, name, identities.user_assigned, identities.system_assigned, parameters
    )


def _parameters(resource: SnapshotResource, references: References) -> dict[str, str | Reference]:
    body = resource.properties
    body.ignore("timeoutInSeconds", "treatFailureAsDeploymentFailure", "asyncExecution")
    source = body.body("source")
    source.text("script")
    source.reject_unread()
    parameters = {}
    for parameter in body.bodies("parameters"):
        name = parameter.text("name")
        parameters[name] = references.resolve(
            parameter.value("value"), parameter.found_at / "value"
        )
        parameter.reject_unread()
    resource.reject_unread()
    return parameters
