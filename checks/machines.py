"""Virtual machines: what of the declaration a deployment has with them, and what they run."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

from checks.declaration import Access, DeclaredMachine
from checks.snapshot import PredictedResource, Snapshot, of_type, place, properties, render

MACHINE = "Microsoft.Compute/virtualMachines"
COMMAND = f"{MACHINE}/runCommands"
NETWORK = "Microsoft.Network/virtualNetworks"
NETWORK_TYPES = (
    "Microsoft.Network/networkInterfaces",
    "Microsoft.Network/networkSecurityGroups",
    NETWORK,
    f"{NETWORK}/virtualNetworkPeerings",
)
"""What a machine is reached through; a public address is none of them."""

_SCRIPT_NAME = "infra/virtual-machines/read-secret.sh"
_SCRIPT = Path(__file__).resolve().parents[1] / _SCRIPT_NAME


def asked_for(access: Access, snapshot: Snapshot) -> Access:
    """Give the declaration without the machines, and identities of theirs, that are not deployed.

    Which ones a deployment asked for is its output `machines`.
    """
    names = snapshot["outputs"].get("machines", [])
    machines = [machine for machine in access["machines"] if machine["name"] in names]
    attached = {name for holder in (*access["apps"], *machines) for name in holder["identities"]}
    attached |= {operator["name"] for operator in access["operators"]}
    kept: dict[str, Any] = {
        **access,
        "machines": machines,
        "identities": [one for one in access["identities"] if one["name"] in attached],
    }
    for grants in ("keyGrants", "secretGrants", "queueGrants", "packageGrants"):
        kept[grants] = [grant for grant in kept[grants] if grant["identity"] in attached]
    return cast("Access", kept)


def declared_commands(access: Access) -> Iterator[str]:
    """Say what each declared machine runs: the script of this repository, told what it may read."""
    for machine in access["machines"]:
        here = f"machines/{machine['name']}"
        yield f"{here}/runcommands/read-secret runs {_SCRIPT_NAME}"
        for name, value in _told(access, machine).items():
            yield f"{here}/runcommands/read-secret is told {name} = {value}"


def _told(access: Access, machine: DeclaredMachine) -> dict[str, str]:
    (grant,) = (g for g in access["secretGrants"] if g["identity"] in machine["identities"])
    return {
        "CLIENT_ID": f"clientId of identities/{grant['identity']}",
        "SECRET_URL": f"secretUri of vaults/{grant['vault']}/secrets/{grant['secret']}",
    }


def deployed_commands(snapshot: Snapshot) -> Iterator[str]:
    """Say what each deployed machine runs, by command or by what it is started with."""
    script = _SCRIPT.read_text(encoding="utf-8")
    for command in of_type(snapshot, COMMAND):
        here, given = place(snapshot, command["id"]), properties(command)
        same = given.get("source") == {"script": script}
        yield f"{here} runs {_SCRIPT_NAME if same else 'something else'}"
        for parameter in given.get("parameters", []):
            told = render(snapshot, parameter["value"])
            yield f"{here} is told {parameter['name']} = {told}"
        if given.get("protectedParameters"):
            yield f"{here} is told something in secret"
    for machine in of_type(snapshot, MACHINE):
        yield from _also_runs(snapshot, machine)


def _also_runs(snapshot: Snapshot, machine: PredictedResource) -> Iterator[str]:
    given = properties(machine)
    for name, holder in (("customData", given.get("osProfile", {})), ("userData", given)):
        if holder.get(name):
            yield f"{place(snapshot, machine['id'])} is started with {name}"


def machine_exposures(snapshot: Snapshot) -> Iterator[str]:
    """Name what lets somebody from outside reach a machine."""
    guarded = set(_guarded_subnets(snapshot))
    for card in of_type(snapshot, "Microsoft.Network/networkInterfaces"):
        here = f"the network interface {card['name']}"
        for configuration in properties(card).get("ipConfigurations", []):
            given = configuration.get("properties", {})
            if given.get("publicIPAddress"):
                yield f"{here} has a public address"
            if str(given.get("subnet", {}).get("id", "")).lower() not in guarded:
                yield f"{here} is in a subnet without security rules"
    networks = {one["id"].lower() for one in of_type(snapshot, NETWORK)}
    for peering in of_type(snapshot, f"{NETWORK}/virtualNetworkPeerings"):
        other = str(properties(peering).get("remoteVirtualNetwork", {}).get("id", ""))
        if other.lower() not in networks:
            yield f"the peering {peering['name']} leads to a network of others"
    for group in of_type(snapshot, "Microsoft.Network/networkSecurityGroups"):
        for rule in properties(group).get("securityRules", []):
            given = rule["properties"]
            if (given["direction"], given["access"]) == ("Inbound", "Allow"):
                yield f"the security rule {group['name']}/{rule['name']} lets something in"


def _guarded_subnets(snapshot: Snapshot) -> Iterator[str]:
    for network in of_type(snapshot, NETWORK):
        for subnet in properties(network).get("subnets", []):
            if subnet.get("properties", {}).get("networkSecurityGroup"):
                yield f"{network['id']}/subnets/{subnet['name']}".lower()
