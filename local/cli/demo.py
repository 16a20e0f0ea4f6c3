"""The command `demo`: five messages of different kinds, sent, compared and looked up."""

from __future__ import annotations

import asyncio
import base64
import json
import os
import struct
import time
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from rich.table import Table

from local.cli.client import Client
from local.cli.messages import SHORT_ID, send
from local.cli.proving import prove_access
from local.cli.tables import show, table
from local.runtime.cloud import Cloud

_TIMEOUT = 30.0  # seconds until every message must be at the partner
_POLL = 0.05  # seconds


@dataclass(frozen=True)
class Sample:
    """A message to send."""

    name: str
    content_type: str
    payload: bytes


@dataclass(frozen=True)
class Sent:
    """A sample that the sender accepted under an id, and when (Unix times)."""

    sample: Sample
    id: str
    posted_at: float
    accepted_at: float


@dataclass(frozen=True)
class DemoDelivery:
    """What became of a sent message; `problem` is None if it arrived as it was sent."""

    sent: Sent
    arrived_at: float | None
    problem: str | None


@dataclass(frozen=True)
class TrackedMessage:
    """What the tracker returns for a message: its state, and when it reached each state (UTC)."""

    id: str
    state: str
    times: Mapping[str, datetime]


async def show_demo(cloud: Cloud) -> int:
    """Send the five messages, show what became of them, prove the access; return 0 if all is well.

    The demo speaks HTTP like any caller, on a thread of its own: the cloud has the event loop.
    """
    client = Client(cloud.context.folder.path)
    print("The cloud is up. Sending five messages ...\n", flush=True)
    limit = limit_of(cloud.apps["sender"].environment)
    deliveries = await asyncio.to_thread(carry, client, samples(limit))
    show(deliveries_table(deliveries))
    print(
        "\nverified: same bytes and content type at the partner, with a valid signature."
        "\n\nThe same messages in the ledger (GET /api/messages/{id} of the tracker, UTC):\n",
        flush=True,
    )
    tracked = await asyncio.to_thread(look_up, client, [one.sent.id for one in deliveries])
    show(ledger_table(tracked))
    failed = any(one.problem for one in deliveries)
    failed |= any(one.state != "delivered" for one in tracked)
    failed |= await prove_access(cloud.context.folder.path) != 0
    return 1 if failed else 0


def samples(limit: int) -> Sequence[Sample]:
    """Make the five messages; the largest is one byte below `limit`."""
    order = json.dumps({"order": 4711, "amount": "12.50", "currency": "EUR"}, indent=2)
    text = "Grüße aus Zürich, 你好, привет, 👋\n"
    return (
        Sample("JSON", "application/json", order.encode()),
        Sample("UTF-8 text", "text/plain; charset=utf-8", text.encode()),
        Sample("PNG picture", "image/png", picture()),
        Sample("one zero byte", "application/octet-stream", b"\x00"),
        Sample("limit - 1 byte", "application/octet-stream", os.urandom(limit - 1)),
    )


def limit_of(environment: Mapping[str, str]) -> int:
    """Return the largest payload that a sender with this environment takes, in bytes."""
    # With the settings come the SDKs of Azure, half a second of import that no other command needs.
    from shared.settings.settings import SenderSettings

    return int(environment.get("RELAY_MAX_PAYLOAD_BYTES") or SenderSettings.max_payload_bytes)


def carry(client: Client, sending: Sequence[Sample]) -> Sequence[DemoDelivery]:
    """Send the samples, wait until the partner has them, and compare each with what it got."""
    sent = []
    for sample in sending:
        posted_at = time.time()
        message_id, _ = send(client, sample.payload, sample.content_type)
        sent.append(Sent(sample, message_id, posted_at, time.time()))
    arrived = _wait(client, {one.id for one in sent})
    return [_compare(one, arrived.get(one.id)) for one in sent]


def look_up(client: Client, ids: Sequence[str]) -> Sequence[TrackedMessage]:
    """Poll the tracker for each message until it is delivered, or the time is up."""
    deadline = time.monotonic() + _TIMEOUT
    return [_look_up(client, message_id, deadline) for message_id in ids]


def deliveries_table(deliveries: Sequence[DemoDelivery]) -> Table:
    """Make a table of the messages and of what became of each."""
    headings = ("message", "bytes", "content type", "accepted", "arrived", "result")
    return table(headings, map(_row, deliveries))


def ledger_table(tracked: Sequence[TrackedMessage]) -> Table:
    """Make a table of what the ledger has of each message: its state, and since when it had it."""
    headings = ("id", "state", "accepted", "queued", "delivered")
    return table(headings, map(_ledger_row, tracked))


def _row(delivery: DemoDelivery) -> tuple[str, ...]:
    sent = delivery.sent
    return (
        sent.sample.name,
        f"{len(sent.sample.payload):,}",
        sent.sample.content_type,
        _after(sent, sent.accepted_at),
        _after(sent, delivery.arrived_at),
        delivery.problem or "verified",
    )


def _ledger_row(tracked: TrackedMessage) -> tuple[str, ...]:
    accepted = tracked.times.get("accepted")
    shown = accepted.strftime("%H:%M:%S") if accepted else "-"
    since = (_since(tracked, state) for state in ("queued", "delivered"))
    return (tracked.id[:SHORT_ID], tracked.state, shown, *since)


def _since(tracked: TrackedMessage, state: str) -> str:
    if state not in tracked.times or "accepted" not in tracked.times:
        return "-"
    passed = tracked.times[state] - tracked.times["accepted"]
    return f"+{passed.total_seconds() * 1000:.0f} ms"


def _look_up(client: Client, message_id: str, deadline: float) -> TrackedMessage:
    while True:
        answer = client.app("tracker", "GET", f"/api/messages/{message_id}")
        content = answer.json() if answer.status == 200 else None
        state = str(content["state"]) if isinstance(content, dict) else f"status {answer.status}"
        if state == "delivered" or time.monotonic() > deadline:
            times = content["times"] if isinstance(content, dict) else {}
            known = {name: datetime.fromisoformat(str(time)) for name, time in times.items()}
            return TrackedMessage(message_id, state, known)
        time.sleep(_POLL)


def _after(sent: Sent, moment: float | None) -> str:
    return "-" if moment is None else f"{(moment - sent.posted_at) * 1000:.0f} ms"


def picture() -> bytes:
    """Draw a small PNG: a colour gradient of 64 by 64 pixels."""
    size = 64
    rows = b"".join(
        b"\x00" + bytes(v for x in range(size) for v in (4 * x, 4 * y, 128)) for y in range(size)
    )
    header = struct.pack(">IIBBBBB", size, size, 8, 2, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(rows)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        for kind, data in chunks
    )


def _wait(client: Client, ids: set[str]) -> Mapping[str, Mapping[str, object]]:
    arrived: dict[str, Mapping[str, object]] = {}
    after, deadline = 0, time.monotonic() + _TIMEOUT
    while not ids <= set(arrived) and time.monotonic() < deadline:
        for message in client.received(after):
            after = int(str(message["n"]))
            arrived.setdefault(str(message["id"]), message)
        time.sleep(_POLL)
    return arrived


def _compare(sent: Sent, got: Mapping[str, object] | None) -> DemoDelivery:
    if got is None:
        return DemoDelivery(sent, None, f"not at the partner after {_TIMEOUT:.0f} s")
    at = datetime.fromisoformat(str(got["received_at"])).timestamp()
    checks = {
        "the bytes differ": base64.b64decode(str(got["body"])) == sent.sample.payload,
        "the content type differs": got["content_type"] == sent.sample.content_type,
        "the signature is not verified": got["verified"] is True,
    }
    wrong = [problem for problem, right in checks.items() if not right]
    return DemoDelivery(sent, at, "; ".join(wrong) or None)
