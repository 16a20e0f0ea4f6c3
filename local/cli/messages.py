"""The commands `send` and `received`: a message to the sender, and what the partner got."""

from __future__ import annotations

import argparse
import base64
import json
import mimetypes
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from urllib.parse import quote, urljoin

from local.cli.client import Client, RequestRefusedError
from local.cli.command_line import count
from local.cli.output import notify, printable
from local.net.folder import shell_command

_NEWEST = 20
_SHOWN = 4000  # characters of a payload on a terminal
SHORT_ID = 8  # characters that tell the messages of a table apart


def add_send_command(parser: argparse.ArgumentParser) -> None:
    """Add the options of `send`."""
    parser.add_argument("file", metavar="FILE", help="payload to send; - for standard input")
    parser.add_argument(
        "--content-type", metavar="T", help="content type (default: by FILE's name)"
    )
    parser.set_defaults(command=_send)


def add_received_command(parser: argparse.ArgumentParser) -> None:
    """Add the options of `received`."""
    parser.add_argument(
        "id", metavar="ID", nargs="?", help="show this message with its payload; its start will do"
    )
    parser.add_argument(
        "--limit", type=count, default=_NEWEST, metavar="N", help=f"the newest N ({_NEWEST})"
    )
    parser.add_argument(
        "--output", metavar="FILE", help="with ID: write the payload here; - is standard output"
    )
    parser.add_argument("--json", action="store_true", help="as JSON; with ID, payload included")
    parser.set_defaults(command=_received)


def send(client: Client, payload: bytes, content_type: str) -> tuple[str, str]:
    """Post a message to the sender; return its id and the path of its status.

    Raises `RequestRefusedError` where it is not accepted.
    """
    headers = {"Content-Type": content_type}
    answer = client.app("sender", "POST", "/api/messages", payload, headers)
    if answer.status != 202:
        raise RequestRefusedError(f"the sender answered {answer.status}: {_detail(answer.body)}")
    content = answer.json()
    if not isinstance(content, dict) or not isinstance(content.get("id"), str):
        raise RequestRefusedError("the sender accepted it, but returned no id")
    return content["id"], answer.headers.get("location", "")


def payload_lines(payload: bytes) -> list[str]:
    """Return a payload as lines for a terminal: its text, or that it is none."""
    try:
        text = payload.decode()
    except UnicodeDecodeError:
        text = None
    if text is None or "\0" in text:
        return [f"(binary, {len(payload):,} bytes; --output FILE writes them)"]
    shown = printable(text[:_SHOWN], keep="\n\t").splitlines()
    if len(text) > _SHOWN:
        shown.append(f"... ({len(text) - _SHOWN:,} characters more; --output FILE writes all)")
    return shown


def _send(options: argparse.Namespace) -> int:
    client = Client(options.folder)
    payload, guess = _payload(options.file)
    message_id, link = send(
        client, payload, guess if options.content_type is None else options.content_type
    )
    print(f"id      {message_id}\nstatus  {urljoin(client.url('tracker') + '/', link)}")
    return 0


def _received(options: argparse.Namespace) -> int:
    client = Client(options.folder)
    if options.id is None:
        if options.output:
            raise RequestRefusedError("--output goes with ID")
        return _list(client, options)
    found = _received_anywhere(client, f"id={quote(options.id, safe='', errors='replace')}")
    ids = sorted({str(one["id"]) for one in found})
    if len(ids) != 1:
        what = f"{len(ids)} messages begin with" if ids else "the partner has received no message"
        raise RequestRefusedError(f"{what} {options.id!r}{': ' if ids else ''}{', '.join(ids[:5])}")
    if options.json:
        print(json.dumps(found))
    elif options.output:
        _write(options.output, _body(found[0]))
    else:
        _show(found)
    return 0


def _list(client: Client, options: argparse.Namespace) -> int:
    found = _received_anywhere(client, f"brief&newest={options.limit}")[-options.limit :]
    if options.json:
        print(json.dumps(found))
        return 0
    if not found:
        notify("the partner has received nothing yet")
        return 0
    # Only here: what draws tables takes as long as all the rest of a command.
    from local.cli.tables import show, table

    headings = ("n", "id", "content type", "bytes", "signature", "received (UTC)")
    show(table(headings, map(_row, found)))
    first = str(found[-1]["id"])[:SHORT_ID]
    command = shell_command(options.folder, "received", first)
    print(f"\nwith its payload: {printable(command)}")
    return 0


def _received_anywhere(client: Client, query: str) -> Sequence[Mapping[str, object]]:
    """Return what came to the partner by web and to its queue, by time.

    The partner's secret says where messages go, and may have been another one before.
    """
    found = [*client.received_as(query), *client.queued_as(query)]
    return sorted(found, key=lambda one: str(one["received_at"]))


def _row(one: Mapping[str, object]) -> Sequence[str]:
    return (
        str(one["n"]),
        printable(str(one["id"])[:SHORT_ID]),
        printable(str(one["content_type"])),
        f"{one['size']:,}",
        _signature(one),
        str(one["received_at"])[11:19],
    )


def _show(found: Sequence[Mapping[str, object]]) -> None:
    """Show a message as it came first, and how often it came."""
    one = found[0]
    payload = _body(one)
    for name, value in (
        ("id", one["id"]),
        ("content type", one["content_type"]),
        ("bytes", f"{len(payload):,}"),
        ("signature", _signature(one)),
        ("traceparent", one["traceparent"] or "-"),
        *(("received", one["received_at"]) for one in found),
    ):
        print(f"{name:<14}{printable(str(value))}")
    print()
    print("\n".join(payload_lines(payload)))


def _signature(one: Mapping[str, object]) -> str:
    # What comes to a queue came by its own key: there is no other signature.
    if "verified" not in one:
        return "- (queue)"
    return "valid" if one["verified"] else "INVALID"


def _body(one: Mapping[str, object]) -> bytes:
    return base64.b64decode(str(one["body"]))


def _write(file: str, payload: bytes) -> None:
    if file == "-":
        sys.stdout.buffer.write(payload)
    else:
        Path(file).write_bytes(payload)


def _payload(file: str) -> tuple[bytes, str]:
    if file == "-":
        return sys.stdin.buffer.read(), "application/octet-stream"
    guess, _ = mimetypes.guess_type(file)
    return Path(file).read_bytes(), guess or "application/octet-stream"


def _detail(body: bytes) -> str:
    """Read a problem document (RFC 9457)."""
    try:
        problem = json.loads(body)
    except ValueError:
        problem = None
    if isinstance(problem, dict):
        return str(problem.get("detail") or problem.get("title") or "no reason given")
    return "no reason given"
