"""The commands, and how each ends.

What starts a cloud imports all of it, and the SDKs; every other command has to start at once. So
`up` and `demo` are in `local.cli.starting`, which is imported when one of them is run.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from local.authorization.audit_log import DEFAULT_SIZE
from local.cli.apps import add_app_commands
from local.cli.client import Client, RequestRefusedError, path
from local.cli.command_line import CommandLine, SetOnce
from local.cli.decisions import add_decisions_command
from local.cli.environments import add_machine_command, print_environment, print_identity
from local.cli.faults import add_fault_commands
from local.cli.func_settings import DEFAULT_OUTPUT, write_settings
from local.cli.keys import print_key
from local.cli.logs import add_logs_command
from local.cli.messages import add_received_command, add_send_command
from local.cli.output import end_quietly, notify, printable
from local.cli.status import as_object, show_status
from local.deployment.bicep import SUFFIXES
from local.known_names import unknown_name
from local.net.folder import DEFAULT_FOLDER, ROOT, NotUpError

_MAX_LATENCY = 10_000  # milliseconds; the apps wait for no answer for much longer
_MAX_DECISIONS = 1_000_000  # about a gigabyte


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; return 0 if it succeeded, 1 if not, 2 if its arguments are wrong."""
    options = command_line().parse_args(arguments)
    try:
        result: int = options.command(options)
        sys.stdout.flush()
    except BrokenPipeError:
        return end_quietly()
    except (NotUpError, OSError, RequestRefusedError) as error:
        notify(f"error: {_described(error)}")
        return 1
    return result


def _described(error: Exception) -> str:
    """Name a file and what is wrong with it, as a shell does; all else is a sentence already."""
    if isinstance(error, OSError) and error.strerror:
        file = f"{error.filename}: " if error.filename is not None else ""
        return printable(f"{file}{error.strerror}")
    return str(error)


def command_line() -> argparse.ArgumentParser:
    """Return the command line, which the documents are compared with."""
    parser: argparse.ArgumentParser = CommandLine(
        prog="python -m local", description="An embedded Azure that runs what Bicep deploys."
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    folder = argparse.ArgumentParser(add_help=False)
    folder.add_argument(
        "--folder", type=Path, default=DEFAULT_FOLDER, help="folder of the cloud (default: .local)"
    )
    starting = argparse.ArgumentParser(add_help=False)
    deployment = starting.add_mutually_exclusive_group()
    deployment.add_argument(
        "source",
        nargs="?",
        type=_bicep,
        metavar="BICEPPARAM",
        help="deployment to compile and run, a .bicepparam or .bicep of any project; needs the "
        "Bicep CLI on the PATH",
    )
    deployment.add_argument(
        "--snapshot",
        type=Path,
        default=ROOT / "infra" / "local.snapshot.json",
        help="deployment to run (default: infra/local.snapshot.json)",
    )
    starting.add_argument(
        "--secrets",
        type=Path,
        metavar="FILE",
        help="values of the deployment's secure parameters, as a JSON object by name",
    )
    starting.add_argument(
        "--log-level",
        choices=("debug", "info", "warning", "error"),
        help="level of the apps' logs, instead of that in host.json",
    )
    starting.add_argument(
        "--decisions",
        type=_size,
        default=DEFAULT_SIZE,
        metavar="N",
        help=f"number of decisions to keep in the audit log (default: {DEFAULT_SIZE})",
    )
    starting.add_argument(
        "--free-ports",
        action="store_true",
        help="use free ports instead of the usual ones; a folder keeps the ports that it had",
    )
    starting.add_argument(
        "--no-keys",
        action="store_true",
        help="no access keys for the apps' HTTP functions, as with func start",
    )
    starting.add_argument(
        "--set",
        type=_setting,
        action=SetOnce,
        default={},
        metavar="NAME=VALUE",
        help="a setting of the apps that have it, instead of the deployment's; may be repeated",
    )
    starting.add_argument(
        "--without",
        action="append",
        default=[],
        metavar="APP",
        help="leave out an app, which func or another host runs in its place; may be repeated",
    )
    starting.add_argument(
        "--connection-strings",
        action="store_true",
        help="serve the bus without TLS as well, to connection strings with a key for each "
        "identity, as the Service Bus emulator does",
    )
    starting.add_argument(
        "--latency",
        type=_milliseconds,
        default=0.0,
        metavar="MS",
        help="milliseconds of a round trip to vaults, bus and database, to simulate a region's "
        "distance (default: 0)",
    )

    up = commands.add_parser("up", parents=[folder, starting], help="start the cloud, until Ctrl-C")
    up.set_defaults(command=_up)
    demo = commands.add_parser(
        "demo", parents=[folder, starting], help="start the cloud, send five messages, compare them"
    )
    demo.add_argument("--stay", action="store_true", help="stay up afterwards, until Ctrl-C")
    demo.set_defaults(command=_demo)
    page = commands.add_parser(
        "page", parents=[folder], help="print the address of the live page, with its key"
    )
    page.set_defaults(command=_page)
    sending = commands.add_parser("send", parents=[folder], help="send a message")
    add_send_command(sending)
    received = commands.add_parser(
        "received", parents=[folder], help="show what the partner received"
    )
    add_received_command(received)
    logs = commands.add_parser("logs", parents=[folder], help="show the logs of the apps")
    add_logs_command(logs)
    add_app_commands(commands, folder)
    key = commands.add_parser("key", parents=[folder], help="print an access key of an app")
    key.add_argument(
        "app", metavar="APP|partner", help="partner: the key to what the partner received"
    )
    which = key.add_mutually_exclusive_group()
    which.add_argument("--master", action="store_true", help="the master key, not the host key")
    which.add_argument("--function", metavar="NAME", help="the key of one function only")
    key.set_defaults(command=print_key)
    env = commands.add_parser(
        "env",
        parents=[folder],
        help="print the environment that makes a program that app, operator or machine "
        "(secrets included)",
    )
    env.add_argument("app", metavar="APP|operator|MACHINE")
    env.add_argument("--json", action="store_true", help="in the form of local.settings.json")
    env.set_defaults(command=print_environment)
    settings = commands.add_parser(
        "settings",
        parents=[folder],
        help="write the local.settings.json with which func runs an app beside the cloud",
    )
    settings.add_argument("app", metavar="APP")
    settings.add_argument(
        "--output",
        type=Path,
        default=DEFAULT_OUTPUT,
        metavar="FILE",
        help="file to write (default: local.settings.json beside host.json)",
    )
    settings.set_defaults(command=write_settings)
    identity = commands.add_parser(
        "identity",
        parents=[folder],
        help="print the environment that gives any program an identity of the deployment",
    )
    identity.add_argument("identity", metavar="IDENTITY", help="name of the identity in Azure")
    identity.add_argument(
        "--connection-string",
        action="store_true",
        help="print its connection string for clients that know the Service Bus emulator; needs "
        "`up --connection-strings`",
    )
    identity.set_defaults(command=print_identity)
    vm = commands.add_parser(
        "vm", parents=[folder], help="run a program as on a virtual machine of the deployment"
    )
    add_machine_command(vm)
    status = commands.add_parser(
        "status", parents=[folder], help="show apps, machines, queues, keys and faults"
    )
    status.set_defaults(command=show_status)
    rotate = commands.add_parser("rotate", parents=[folder], help="rotate a key")
    rotate.add_argument("key", metavar="KEY", help="name of the key, or VAULT/NAME")
    rotate.set_defaults(command=_rotate)
    decisions = commands.add_parser(
        "decisions", parents=[folder], help="show the audit log: who was allowed or refused what"
    )
    add_decisions_command(decisions)
    fault = commands.add_parser("fault", help="inject faults, and clear them")
    add_fault_commands(fault, folder)
    return parser


def _up(options: argparse.Namespace) -> int:
    from local.cli.starting import start_and_stay

    return start_and_stay(options)


def _demo(options: argparse.Namespace) -> int:
    from local.cli.starting import start_and_show

    return start_and_show(options)


def _page(options: argparse.Namespace) -> int:
    print(Client(options.folder).page())
    return 0


def _rotate(options: argparse.Namespace) -> int:
    client = Client(options.folder)
    keys = list(as_object(as_object(client.control("GET", "/status"))["keys"]))
    found = [key for key in keys if options.key in (key, key.partition("/")[2])]
    if len(found) != 1:
        if found:
            raise RequestRefusedError(f"several keys have this name: {', '.join(found)}")
        raise RequestRefusedError(unknown_name(options.key, keys, "key"))
    route = path("keys", *found[0].split("/"), "rotate")
    rotated = as_object(client.control("POST", route))
    print(f"{found[0]} has the new version {rotated['version']}")
    return 0


def _bicep(text: str) -> Path:
    path = Path(text)
    if path.suffix not in SUFFIXES:
        raise argparse.ArgumentTypeError("must be a .bicepparam or .bicep; or give --snapshot FILE")
    return path


def _size(text: str) -> int:
    if not (text.isascii() and text.isdigit() and 1 <= int(text) <= _MAX_DECISIONS):
        raise argparse.ArgumentTypeError(f"must be a whole number from 1 to {_MAX_DECISIONS}")
    return int(text)


def _milliseconds(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = -1
    if not 0 <= value <= _MAX_LATENCY:
        raise argparse.ArgumentTypeError(f"must be a number from 0 to {_MAX_LATENCY}")
    return value


def _setting(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not (name and equals):
        raise argparse.ArgumentTypeError("must look like RELAY_RETRY_SCHEDULE=1s,1s")
    return name, value
