"""The commands: up, demo, send, key, env, status, rotate, decisions, fault."""

from __future__ import annotations

import argparse
import asyncio
import json
import mimetypes
import shlex
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from textwrap import wrap
from urllib.parse import urljoin

from local.authorization.audit_log import USUAL_SIZE
from local.bus.broker.journal import JournalError
from local.cli.client import Client, RequestRefusedError
from local.cli.decisions import add_decisions_command
from local.cli.demo import carry, ledger_table, limit_of, look_up, samples, send, table
from local.cli.faults import add_fault_commands, fault_lines
from local.cli.proving import prove_access
from local.cli.up import Start, notify, run, until_told
from local.deployment.resource_id import kind
from local.deployment.snapshot import DeploymentError
from local.net.folder import FolderInUseError, NotUpError
from local.runtime.apps import ROOT, AppFailedError
from local.runtime.cloud import Cloud, UnsupportedDeploymentError
from local.runtime.redeployment import DeploymentRefusedError

_FOLDER = ROOT / ".local"
_MOST_DECISIONS = 1_000_000  # about a gigabyte
_ERRORS = (
    *(
        AppFailedError,
        DeploymentError,
        DeploymentRefusedError,
        FolderInUseError,
        JournalError,
        UnsupportedDeploymentError,
        NotUpError,
        RequestRefusedError,
    ),
    OSError,
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command: 0 if it did what it says, 1 if not, 2 if it was not understood."""
    options = command_line().parse_args(arguments)
    try:
        result: int = options.command(options)
        return result
    except _ERRORS as error:
        notify(f"error: {error}")
        return 1


def command_line() -> argparse.ArgumentParser:
    """Return the command line, which the documents are compared with."""
    parser = argparse.ArgumentParser(
        prog="python -m local", description="An embedded Azure that runs what Bicep deploys."
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    folder = argparse.ArgumentParser(add_help=False)
    folder.add_argument("--folder", type=Path, default=_FOLDER, help="folder of the cloud (.local)")
    starting = argparse.ArgumentParser(add_help=False)
    starting.add_argument(
        "--snapshot",
        type=Path,
        default=ROOT / "infra" / "local.snapshot.json",
        help="deployment to run (infra/local.snapshot.json)",
    )
    starting.add_argument(
        "--log-level",
        choices=("debug", "info", "warning", "error"),
        help="of the apps' logs, instead of what host.json says",
    )
    starting.add_argument(
        "--decisions",
        type=_size,
        default=USUAL_SIZE,
        metavar="N",
        help=f"keep so many decisions on record ({USUAL_SIZE})",
    )
    starting.add_argument(
        "--free-ports",
        action="store_true",
        help="leave the usual ports to others; a folder keeps the ports that it had",
    )
    starting.add_argument(
        "--no-keys",
        action="store_true",
        help="let the apps ask nobody for an access key, as func start does",
    )

    up = commands.add_parser("up", parents=[folder, starting], help="start it, until Ctrl-C")
    up.set_defaults(command=_up)
    demo = commands.add_parser(
        "demo", parents=[folder, starting], help="start it, send five messages, compare them"
    )
    demo.add_argument("--stay", action="store_true", help="stay up afterwards, until Ctrl-C")
    demo.set_defaults(command=_demo)
    sending = commands.add_parser("send", parents=[folder], help="send a message")
    sending.add_argument("file", metavar="FILE", help="what to send; - is standard input")
    sending.add_argument("--content-type", metavar="T", help="instead of a guess by FILE's name")
    sending.set_defaults(command=_send)
    key = commands.add_parser("key", parents=[folder], help="print a key that an app asks for")
    key.add_argument("app", metavar="APP|partner", help="partner: for what the partner received")
    which = key.add_mutually_exclusive_group()
    which.add_argument("--master", action="store_true", help="the master key, not the host key")
    which.add_argument("--function", metavar="NAME", help="the key of one function alone")
    key.set_defaults(command=_key)
    env = commands.add_parser(
        "env",
        parents=[folder],
        help="print what makes any other program that app, or the operator, or one of a machine "
        "(secrets too)",
    )
    env.add_argument("app", metavar="APP|operator|MACHINE")
    env.add_argument("--json", action="store_true", help="as local.settings.json")
    env.set_defaults(command=_env)
    status = commands.add_parser("status", parents=[folder], help="show how it is doing")
    status.set_defaults(command=_status)
    rotate = commands.add_parser("rotate", parents=[folder], help="make a new version of a key")
    rotate.add_argument("key", metavar="KEY", help="its name, or VAULT/NAME")
    rotate.set_defaults(command=_rotate)
    decisions = commands.add_parser(
        "decisions", parents=[folder], help="show who was allowed what, and who was not"
    )
    add_decisions_command(decisions)
    fault = commands.add_parser("fault", help="inject faults, and clear them")
    add_fault_commands(fault, folder)
    return parser


def _up(options: argparse.Namespace) -> int:
    async def stay(cloud: Cloud) -> int:
        print(_addresses(cloud))
        print("ready", flush=True)
        return await until_told(cloud)

    return run(_start(options), stay)


def _demo(options: argparse.Namespace) -> int:
    async def show(cloud: Cloud) -> int:
        client = Client(cloud.folder.path)
        print("All is up.")
        print("\nSending five messages ...\n", flush=True)
        limit = limit_of(cloud.apps["sender"].environment)
        # The demo speaks HTTP like any caller, on a thread: the cloud has the event loop.
        deliveries = await asyncio.to_thread(carry, client, samples(limit))
        print(table(deliveries), flush=True)
        print("\nWhat the tracker tells of them (GET /api/messages/{id}):\n", flush=True)
        told = await asyncio.to_thread(look_up, client, [one.sent.id for one in deliveries])
        print(ledger_table(told), flush=True)
        failed = any(one.problem for one in deliveries)
        failed |= any(one.state != "delivered" for one in told)
        failed |= await prove_access(cloud.folder.path) != 0
        if options.stay and not failed:
            print(
                f"\n{_addresses(cloud)}\n\nTry it:\n{_curl(client, options)}\n\nCtrl-C ends it.",
                flush=True,
            )
            return await until_told(cloud)
        return 1 if failed else 0

    return run(_start(options), show)


def _send(options: argparse.Namespace) -> int:
    client = Client(options.folder)
    payload, guess = _payload(options.file)
    message_id, link = send(client, payload, options.content_type or guess)
    print(f"id      {message_id}\nstatus  {urljoin(client.url('tracker') + '/', link)}")
    return 0


def _key(options: argparse.Namespace) -> int:
    client = Client(options.folder)
    if options.app == "partner":
        print(client.partner_key())
        return 0
    keys = client.keys(options.app)
    if keys is None:
        raise RequestRefusedError(
            f"there is no app {options.app!r} here, or it asks for no key (--no-keys)"
        )
    if options.master:
        print(keys.master)
    else:
        print(keys.function(options.function) if options.function else keys.host)
    return 0


def _env(options: argparse.Namespace) -> int:
    environment = Client(options.folder).environment(options.app)
    if options.json:
        print(json.dumps({"IsEncrypted": False, "Values": environment}, indent=2))
        return 0
    for name, value in sorted(environment.items()):
        print(f"export {name}={shlex.quote(str(value))}")
    return 0


def _status(options: argparse.Namespace) -> int:
    status = _object(Client(options.folder).control("GET", "/status"))
    for name, app in _object(status["apps"]).items():
        about = _object(app)
        print(f"app      {name:<10} {about['state']:<10} {about['url'] or '-'}")
    for name, machine in _object(status["machines"]).items():
        about = _object(machine)
        identities = about["identities"]
        named = ", ".join(map(str, identities)) if isinstance(identities, list) else "-"
        print(f"machine  {name:<10} {named}  {about['url']}")
    for name, counts in _object(status["queues"]).items():
        states = "  ".join(f"{state} {n}" for state, n in _object(counts).items())
        print(f"queue    {name:<10} {states}")
    for name, versions in _object(status["keys"]).items():
        known = versions if isinstance(versions, list) else []
        print(f"key      {name}  {len(known)} versions, newest {known[-1] if known else '-'}")
    print(f"partner  received {_object(status['partner'])['received']}")
    for line in fault_lines(status):
        print(line)
    return 0


def _rotate(options: argparse.Namespace) -> int:
    client = Client(options.folder)
    keys = list(_object(_object(client.control("GET", "/status"))["keys"]))
    found = [key for key in keys if options.key in (key, key.partition("/")[2])]
    if len(found) != 1:
        raise RequestRefusedError(f"{options.key!r} names no one key; there is: {', '.join(keys)}")
    rotated = _object(client.control("POST", f"/keys/{found[0]}/rotate"))
    print(f"{found[0]} has the new version {rotated['version']}")
    return 0


def _start(options: argparse.Namespace) -> Start:
    return Start(
        options.folder,
        options.snapshot,
        options.log_level,
        options.decisions,
        options.free_ports,
        keys=not options.no_keys,
    )


def _size(text: str) -> int:
    size = int(text)
    if not 1 <= size <= _MOST_DECISIONS:
        raise argparse.ArgumentTypeError(f"must be from 1 to {_MOST_DECISIONS}")
    return size


def _payload(file: str) -> tuple[bytes, str]:
    if file == "-":
        return sys.stdin.buffer.read(), "application/octet-stream"
    guess, _ = mimetypes.guess_type(file)
    return Path(file).read_bytes(), guess or "application/octet-stream"


def _addresses(cloud: Cloud) -> str:
    kinds = Counter(map(kind, cloud.deployment.ignored))
    left_out = ", ".join(f"{name} ({count})" for name, count in kinds.items())
    told = f"ignored   changing nothing on this machine: {left_out}"
    lines = wrap(told, 100, subsequent_indent=" " * 10, break_on_hyphens=False)
    for name, address in cloud.endpoints.items():
        if isinstance(address, Mapping):
            lines += [f"{name:<9} {inner}: {url}" for inner, url in address.items()]
        else:
            lines.append(f"{name:<9} {address}")
    return "\n".join(lines)


def _curl(client: Client, options: argparse.Namespace) -> str:
    """Write commands that work as they stand, in the project's folder."""
    post = f"{client.url('sender')}/api/messages"
    received = f"{client.url('partner')}/received"
    python = Path(sys.executable)
    program = python.relative_to(ROOT) if python.is_relative_to(ROOT) else python
    command = f"{shlex.quote(str(program))} -m local key"
    folder = "" if options.folder == _FOLDER else f" --folder {shlex.quote(str(options.folder))}"
    key = "" if options.no_keys else f' -H "x-functions-key: $({command} sender{folder})"'
    return (
        f"  curl -i --data-binary @README.md -H 'Content-Type: text/markdown'{key} {post}\n"
        f"  curl --cacert {shlex.quote(client.url('ca'))}"
        f' -H "Authorization: Bearer $({command} partner{folder})" {received}'
    )


def _object(value: object) -> Mapping[str, object]:
    if not isinstance(value, dict):
        raise RequestRefusedError("the cloud answered something unexpected")
    return value
