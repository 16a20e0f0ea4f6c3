"""The commands `env`, `identity` and `vm`: the environment of an app, an identity, a machine."""

from __future__ import annotations

import argparse
import json
import os
import shlex
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import quote

from local.cli.client import Client, RequestRefusedError
from local.cli.status import as_object
from local.net.trust import trust_variables


def print_environment(options: argparse.Namespace) -> int:
    """Print the environment that makes a program that app, operator or machine."""
    client = Client(options.folder)
    environment = {**trust_variables(Path(client.url("ca"))), **client.environment(options.app)}
    if options.json:
        print(json.dumps({"IsEncrypted": False, "Values": environment}, indent=2))
    else:
        _print(environment)
    return 0


def print_identity(options: argparse.Namespace) -> int:
    """Print the environment that gives any program one identity."""
    path = f"/identities/{quote(options.identity, safe='')}/environment"
    _print(as_object(Client(options.folder).control("GET", path)))
    return 0


def run_on_machine(options: argparse.Namespace) -> int:
    """Become a program, or a shell, that the metadata service takes for one of the machine."""
    client = Client(options.folder)
    machines = as_object(as_object(client.control("GET", "/status"))["machines"])
    if options.machine not in machines:
        known = ", ".join(machines) or "none (docs/virtual-machine.md)"
        raise RequestRefusedError(f"there is no machine {options.machine!r} here; known: {known}")
    program = [one for one in options.program if one != "--"] or [os.environ.get("SHELL", "sh")]
    environment = {**os.environ, **client.environment(options.machine)}
    # Anything else that could give the program another identity than the machine's.
    for name in ("IDENTITY_ENDPOINT", "IDENTITY_HEADER", "AZURE_CLIENT_ID"):
        environment.pop(name, None)
    os.execvpe(program[0], program, environment)  # noqa: S606 - the user's own program


def _print(environment: Mapping[str, object]) -> None:
    for name, value in sorted(environment.items()):
        print(f"export {name}={shlex.quote(str(value))}")
