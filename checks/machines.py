"""Virtual machines: what of the declaration a deployment has with them, and what they run."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

from checks.declaration import Access, DeclaredMachine
from checks.snapshot import Snapshot, of_type, place, properties, render

MACHINE = "Microsoft.Compute/virtualMachines"
COMMAND = f"{MACHINE}/runCommands"
SCRIPT = Path(__file__).resolve().parents[1] / "infra" / "virtual-machines" / "read-secret.sh"
_NAME = f"infra/virtual-machines/{SCRIPT.name}"


def asked_for(access: Access, snapshot: Snapshot) -> Access:
    """Return the declaration without the machines, and identities of theirs, that are not deployed.

    The machines a deployment has are its output `machines`.
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
    """Yield what each declared machine runs: the script of this repository and what it reads."""
    for machine in access["machines"]:
        here = f"machines/{machine['name']}"
        yield f"{here}/runcommands/read-secret runs {_NAME}"
        for name, value in _gets(access, machine).items():
            yield f"{here}/runcommands/read-secret gets {name} = {value}"


def _gets(access: Access, machine: DeclaredMachine) -> dict[str, str]:
    (grant,) = (g for g in access["secretGrants"] if g["identity"] in machine["identities"])
    return {
        "CLIENT_ID": f"clientId of identities/{grant['identity']}",
        "SECRET_URL": f"secretUri of vaults/{grant['vault']}/secrets/{grant['secret']}",
    }


def deployed_commands(snapshot: Snapshot) -> Iterator[str]:
    """Yield what each deployed machine runs, by command or by what it is started with."""
    script = SCRIPT.read_text(encoding="utf-8")
    for command in of_type(snapshot, COMMAND):
        here, given = place(snapshot, command["id"]), properties(command)
        same = given.get("source") == {"script": script}
        yield f"{here} runs {_NAME if same else 'something else'}"
        for parameter in given.get("parameters", []):
            value = render(snapshot, parameter["value"])
            yield f"{here} gets {parameter['name']} = {value}"
