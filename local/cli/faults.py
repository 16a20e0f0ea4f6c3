"""The command `fault`: inject faults into a cloud that is up, list them, clear them."""

from __future__ import annotations

import argparse
import json
import re
from collections.abc import Iterator, Mapping

from local.cli.client import Client, RequestRefusedError, path
from local.cli.command_line import count
from local.faults.faults import ANSWERS, OPERATIONS, SERVICES
from local.net.folder import shell_command

_DEFAULT_LIFETIME = 3600  # seconds, of tokens
_EXAMPLES = """examples:
  fault set partner status 429 --retry-after 5 --times 10
  fault set partner status 400 --content-type fault=400
  fault set partner hang --probability 0.1 --seed 7
  fault set vault status 503 --vault payload-local --operation decrypt
  fault set identity status 500
  fault set bus full --queue retries
  fault grants decrypt off
  fault tokens --seconds 20      fault tokens --revoke
  fault bus drop
"""
# What the endpoint calls a property and the command an option.
_OPTIONS = (
    *("retry_after", "seconds", "deliver_first", "times", "probability", "seed", "id"),
    *("content_type", "body", "vault", "queue", "above", "operation"),
)
# A name of one word is also a plain word, and counts at the start of a sentence only.
_PROPERTY = re.compile(
    r"^(?:{})\b|\b(?:{})\b".format("|".join(_OPTIONS), "|".join(o for o in _OPTIONS if "_" in o))
)
_BUS = {
    "stop": "the bus is stopped; its messages stay",
    "start": "the bus is running",
    "drop": "the connections of the bus are broken",
    "cut": "each connection of the bus will break in the middle of the next frame sent on it",
}


def add_fault_commands(fault: argparse.ArgumentParser, folder: argparse.ArgumentParser) -> None:
    """Add the subcommands of `fault`: list, set, clear, grants, tokens, bus."""
    fault.epilog = _EXAMPLES
    fault.formatter_class = argparse.RawDescriptionHelpFormatter
    kinds = fault.add_subparsers(required=True, metavar="WHAT")
    listing = kinds.add_parser("list", parents=[folder], help="list the faults in force")
    listing.set_defaults(command=_list)
    clear = kinds.add_parser(
        "clear",
        parents=[folder],
        help="clear the faults of these numbers, or everything",
    )
    clear.add_argument("numbers", type=count, nargs="*", metavar="N")
    clear.set_defaults(command=_clear)
    _add_set(kinds.add_parser("set", parents=[folder], help="make a service fail"))
    grants = kinds.add_parser("grants", parents=[folder], help="suspend or restore grants")
    grants.add_argument("identity", metavar="IDENTITY", help="decrypt, for example")
    grants.add_argument("state", choices=("off", "on"))
    grants.set_defaults(command=_grants)
    tokens = kinds.add_parser("tokens", parents=[folder], help="let tokens expire sooner")
    which = tokens.add_mutually_exclusive_group(required=True)
    which.add_argument("--seconds", type=int, help="lifetime of new tokens")
    which.add_argument("--revoke", action="store_true", help="expire all tokens issued so far")
    tokens.set_defaults(command=_tokens)
    bus = kinds.add_parser("bus", parents=[folder], help="stop the bus, or break connections")
    bus.add_argument("state", choices=tuple(_BUS))
    bus.set_defaults(command=_bus)


def fault_lines(status: Mapping[str, object]) -> Iterator[str]:
    """Return the faults of a status, a line each; none if there are none."""
    for fault in _list_of(status, "faults"):
        properties = dict(fault) if isinstance(fault, dict) else {}
        names = ("fault", "service", "answer")
        number, service, answer = (properties.pop(name, "") for name in names)
        rest = "  ".join(f"{name} {value}" for name, value in properties.items())
        yield f"fault    {number}  {service} {answer}  {rest}"
    for identity in _list_of(status, "grants_off"):
        yield f"grants   {identity} off"
    if status.get("token_seconds", _DEFAULT_LIFETIME) != _DEFAULT_LIFETIME:
        yield f"tokens   lifetime {status['token_seconds']} s"


def _add_set(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("service", choices=SERVICES)
    parser.add_argument("answer", choices=ANSWERS)
    parser.add_argument("status", type=int, nargs="?", help="of the answer status or redirect")
    parser.add_argument("--retry-after", metavar="S", help="header of the answer status")
    parser.add_argument("--seconds", type=float, help="delay of the answer slow")
    parser.add_argument(
        "--deliver-first",
        action="store_const",
        const=True,
        help="the partner accepts the message first, then gives this answer",
    )
    parser.add_argument("--times", type=int, metavar="K", help="only the next K requests")
    parser.add_argument(
        "--probability", type=float, metavar="P", help="hit each with this probability"
    )
    parser.add_argument("--seed", type=int, help="makes a run with --probability repeatable")
    for name in ("id", "content-type", "body"):
        parser.add_argument(f"--{name}", metavar="PART", help="only messages that have this in it")
    parser.add_argument("--vault", metavar="NAME", help="only requests to this vault")
    parser.add_argument("--queue", metavar="NAME", help="only this queue of the bus")
    parser.add_argument(
        "--above", type=int, metavar="BYTES", help="full only while the queue holds so much"
    )
    parser.add_argument("--operation", metavar="NAME", help=f"one of {', '.join(OPERATIONS)}")
    parser.set_defaults(command=_set)


def _list(options: argparse.Namespace) -> int:
    status = _status(Client(options.folder))
    lines = list(fault_lines(status))
    print("\n".join(lines) if lines else "no fault is in force")
    hits = status.get("hits")
    if isinstance(hits, dict):
        print("hits     " + "  ".join(f"{service} {count}" for service, count in hits.items()))
    return 0


def _set(options: argparse.Namespace) -> int:
    # The options of this command have the names of the document's properties.
    fault = {
        name: value
        for name, value in vars(options).items()
        if name not in ("folder", "command") and value is not None
    }
    answer = _post(Client(options.folder), "POST", "/faults", fault)
    number = answer.get("fault") if isinstance(answer, dict) else None
    end = shell_command(options.folder, "fault", "clear", str(number))
    print(f"fault {number} is in force; end it with: {end}")
    return 0


def _clear(options: argparse.Namespace) -> int:
    client = Client(options.folder)
    for number in options.numbers:
        client.control("DELETE", f"/faults/{number}")
        print(f"fault {number} is no longer in force")
    if not options.numbers:
        _reset(client)
        print("no fault is in force, no grant is suspended, tokens have their default lifetime")
    return 0


def _reset(client: Client) -> None:
    for identity in _list_of(_status(client), "grants_off"):
        client.control("PUT", path("grants", str(identity), "on"))
    client.control("DELETE", "/faults")
    _lifetime(client, _DEFAULT_LIFETIME)


def _grants(options: argparse.Namespace) -> int:
    route = path("grants", options.identity, options.state)
    Client(options.folder).control("PUT", route)
    print(f"the grants of {options.identity} are {options.state}")
    return 0


def _tokens(options: argparse.Namespace) -> int:
    client = Client(options.folder)
    if options.revoke:
        client.control("POST", "/tokens/revoke")
        print("all tokens issued so far are expired")
    else:
        _lifetime(client, options.seconds)
        print(f"tokens issued from now on have a lifetime of {options.seconds} s")
    return 0


def _bus(options: argparse.Namespace) -> int:
    Client(options.folder).control("POST", f"/bus/{options.state}")
    print(_BUS[options.state])
    return 0


def _lifetime(client: Client, seconds: int) -> None:
    _post(client, "PUT", "/tokens/lifetime", {"seconds": seconds})


def _post(client: Client, method: str, route: str, document: Mapping[str, object]) -> object:
    """Send a document; what is wrong in it is named as it was typed."""
    try:
        return client.control(method, route, json.dumps(document).encode())
    except RequestRefusedError as error:
        raise RequestRefusedError(as_typed(str(error))) from None


def as_typed(text: str) -> str:
    """Return an error of the control endpoint with the options' names for the properties'."""
    return _PROPERTY.sub(lambda found: f"--{found[0].replace('_', '-')}", text)


def _status(client: Client) -> Mapping[str, object]:
    status = client.control("GET", "/faults")
    if not isinstance(status, dict):
        raise RequestRefusedError("the cloud sent an answer of an unknown form")
    return status


def _list_of(status: Mapping[str, object], name: str) -> list[object]:
    found = status.get(name)
    return found if isinstance(found, list) else []
