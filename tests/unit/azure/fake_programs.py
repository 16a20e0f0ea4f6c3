"""`az`, `azd` and `python -m ops` as the script sees them: answers, state, and a record of calls.

The tests call it in their own process, in place of starting programs; its state is in files of a
folder.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

SUFFIX = "abc123"
SECRETS = {
    "master": "planted-master-key",
    "function": "planted-function-key",
    "connection": "Endpoint=sb://p.servicebus.windows.net/;SharedAccessKey=planted-bus-key=",
}
VALUES = {
    "SENDER_URL": "https://sender.invalid",
    "RELAY_VAULT_PAYLOAD": f"payload-{SUFFIX}",
    "RELAY_VAULT_PARTNER": f"partner-{SUFFIX}",
}
DATABASES = [
    {
        "supportedFeatures": [{"name": "OfferRestricted", "status": "Disabled"}],
        "supportedServerEditions": [{"supportedServerSkus": [{"name": "Standard_B1ms"}]}],
    }
]

State = dict[str, Any]


def run(folder: Path, command: Sequence[str], given: str) -> subprocess.CompletedProcess[str]:
    """Record a command and answer it."""
    name, arguments = Path(command[0]).name, list(command[1:])
    line = " ".join([name, *arguments])
    with (folder / "calls").open("a") as calls:
        calls.write(f"{line}\n")
    file = folder / "state.json"
    state: State = json.loads(file.read_text())
    if any(part in line for part in state["failing"]):
        # What a program says when it fails may hold all that it was given, and what it gave.
        said = f"ERROR: no; {SECRETS['connection']} {state['told']} {given}\n"
        return subprocess.CompletedProcess(command, 1, "", said)
    answer = answer_of(line, arguments, state)
    file.write_text(json.dumps(state))
    if isinstance(answer, Exception):
        return subprocess.CompletedProcess(command, 1, "", f"ERROR: {answer}\n")
    out = "" if answer is None else f"{json.dumps(answer)}\n"
    return subprocess.CompletedProcess(command, 0, out, "")


def answer_of(line: str, arguments: list[str], state: State) -> object:
    for start, answer in ANSWERS.items():
        if line.startswith(start):
            return answer(arguments, state)
    return None


def option(arguments: list[str], name: str) -> str:
    return arguments[arguments.index(name) + 1]


def make(arguments: list[str], state: State) -> None:
    state["groups"].append(option(arguments, "--name"))


def provision(arguments: list[str], state: State) -> None:
    if option(arguments, "-e") not in state["groups"]:
        state["groups"].append(option(arguments, "-e"))


def down(arguments: list[str], state: State) -> None:
    state["groups"].remove(option(arguments, "-e"))
    state["deleted"] = True


def delete(arguments: list[str], state: State) -> None:
    state["groups"].remove(option(arguments, "--name"))


def status(arguments: list[str], state: State) -> None:
    state["partner"] = option(arguments, "--status")


def rotate(_: list[str], state: State) -> None:
    state["version"] += "1"


def key(_: list[str], state: State) -> object:
    url = f"https://payload-{SUFFIX}.vault.azure.net/keys/payload/{state['version']}"
    return {"properties": {"keyUriWithVersion": url, "attributes": {"exp": 1}}}


def deleted(_: list[str], state: State) -> object:
    vaults = ("payload", "partner", "database") if state["deleted"] else ()
    return [
        {"name": f"{name}-{SUFFIX}", "properties": {"scheduledPurgeDate": "2027-02-24"}}
        for name in vaults
    ]


def metrics(arguments: list[str], _: State) -> object:
    idle = "InstanceCount" in arguments
    points = [1, 2, *[None] * 6] if idle else [20, 31, 20]
    return {"value": [{"timeseries": [{"data": [{"maximum": one} for one in points]}]}]}


def app_key(arguments: list[str], state: State) -> object:
    which = "master" if option(arguments, "--query") == "masterKey" else "function"
    state["told"].append(SECRETS[which])
    return SECRETS[which]


ANSWERS: dict[str, Callable[[list[str], State], object]] = {
    "az account show": lambda _, state: state["account"],
    "azd auth login": lambda _, state: {"status": state["signed in"]},
    "az functionapp list-flex": lambda _, __: [{"name": "swedencentral"}],
    "az postgres flexible-server list-skus": lambda _, __: DATABASES,
    "azd provision": provision,
    "azd env get-values": lambda _, __: VALUES,
    "azd down": down,
    "az group create": make,
    "az group exists": lambda given, state: option(given, "--name") in state["groups"],
    "az group delete": delete,
    "az rest": key,
    "az keyvault key rotate": rotate,
    "az keyvault list-deleted": deleted,
    "az keyvault secret list": lambda _, __: PermissionError("ForbiddenByConnection"),
    "az functionapp keys list": app_key,
    "az servicebus queue update": status,
    "az servicebus queue authorization-rule keys": lambda _, __: {
        "primaryConnectionString": SECRETS["connection"]
    },
    "az monitor metrics list": metrics,
    "az deployment sub list": lambda _, state: state["running"],
    "az identity list": lambda _, __: [f"encrypt-{SUFFIX}", f"decrypt-{SUFFIX}"],
    "az role definition list": lambda _, __: [
        {"name": "role-1", "roleName": f"Relay encrypt with a key ({SUFFIX})"},
        {"name": "role-2", "roleName": "Somebody else's"},
    ],
    "az feature show": lambda _, state: state["feature"],
    "az vm run-command show": lambda _, __: "Succeeded",
    "python -m ops prove": lambda _, state: state["proof"],
}
