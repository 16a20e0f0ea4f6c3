"""The commands `env`, `identity` and `vm`: the environment of an app, an identity, a machine."""

from __future__ import annotations

import argparse
import json
import os
import shlex
from collections.abc import Mapping
from pathlib import Path

from local.cli.client import Client, RequestRefusedError, path
from local.cli.status import as_object
from local.known_names import unknown_name
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
    asked = "connection-string" if options.connection_string else "environment"
    found = Client(options.folder).control("GET", path("identities", options.identity, asked))
    if options.connection_string:
        print(as_object(found)["connection_string"])
    else:
        _print(as_object(found))
    return 0


class _Program(argparse.Action):
    """Takes a program with its arguments, which may look like options of this command.

    The library gives it all that follows the machine: what is ours ends where the program begins.
    """

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: object,
        option_string: str | None = None,
    ) -> None:
        del option_string
        words = list(values) if isinstance(values, list) else []
        while words and words[0].startswith("-") and words[0] != "--":
            option, equals, value = words.pop(0).partition("=")
            if option in ("-h", "--help"):
                parser.print_help()
                parser.exit()
            if option != "--folder":
                parser.error(f"unrecognized arguments: {option}")
            if not equals and not words:
                parser.error("argument --folder: expected one argument")
            namespace.folder = Path(value if equals else words.pop(0))
        namespace.program = words[1:] if words[:1] == ["--"] else words


def add_machine_command(vm: argparse.ArgumentParser) -> None:
    """Add the arguments of `vm`."""
    vm.usage = "python -m local vm [-h] [--folder FOLDER] MACHINE [--] [PROGRAM ...]"
    vm.description = (
        "Run a program as on a virtual machine of the deployment. Options of this command come "
        "before the program; all that follows its name is the program's."
    )
    vm.add_argument("machine", metavar="MACHINE")
    vm.add_argument(
        "program",
        metavar="PROGRAM",
        nargs=argparse.REMAINDER,
        action=_Program,
        help="program to run, with its arguments (default: a shell)",
    )
    vm.set_defaults(command=run_on_machine)


def run_on_machine(options: argparse.Namespace) -> int:
    """Become a program, or a shell, that the metadata service takes for one of the machine."""
    client = Client(options.folder)
    machines = as_object(as_object(client.control("GET", "/status"))["machines"])
    if options.machine not in machines:
        more = "" if machines else " (docs/virtual-machine.md)"
        raise RequestRefusedError(unknown_name(options.machine, machines, "machine") + more)
    program = options.program or [os.environ.get("SHELL", "sh")]
    environment = {**os.environ, **client.environment(options.machine)}
    # Anything else that could give the program another identity than the machine's.
    for name in ("IDENTITY_ENDPOINT", "IDENTITY_HEADER", "AZURE_CLIENT_ID"):
        environment.pop(name, None)
    os.execvpe(program[0], program, environment)  # noqa: S606 - the user's own program


def _print(environment: Mapping[str, object]) -> None:
    for name, value in sorted(environment.items()):
        print(f"export {name}={shlex.quote(str(value))}")
