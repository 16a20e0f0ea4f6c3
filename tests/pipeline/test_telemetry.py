"""What the apps export: one trace of a message, lines about it, metrics, and nothing secret."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import ExitStack, asynccontextmanager
from pathlib import Path

from shared.telemetry.metrics import METRICS
from tests.otlp import Collector, Span, collecting
from tests.pipeline.cloud_process import SNAPSHOT, Running, running, with_settings
from tests.pipeline.scenario import QUICK
from tests.pipeline.test_logs import PLANTED, secrets_of, spellings
from tests.pipeline.waiting import until

CALLER = "0af7651916cd43dd8448eb211c80319c"
PARENT = "b7ad6b7169203331"
_APPS = ("sender", "receiver", "tracker")
_QUEUES = {"messages", "retries", "receipts"}


@asynccontextmanager
async def exporting(folder: Path) -> AsyncIterator[tuple[Running, Collector]]:
    """Give a cloud whose apps and hosts export to a collector."""
    async with collecting() as collector:
        settings = {app: {**collector.settings} for app in _APPS}
        settings["receiver"] |= QUICK
        snapshot = with_settings(SNAPSHOT, folder, **settings)
        with ExitStack() as stack:
            cloud = running(folder / "folder", snapshot)
            yield await asyncio.to_thread(stack.enter_context, cloud), collector


async def test_what_is_exported_of_messages(tmp_path: Path) -> None:
    async with exporting(tmp_path) as (cloud, collector):
        async with cloud.session() as session:
            await cloud.fault(service="partner", answer="status", status=503, times=2)
            trace = {"traceparent": f"00-{CALLER}-{PARENT}-01", "tracestate": "a=b"}
            own = await cloud.send(session, PLANTED.encode(), "text/plain", **trace)
            await cloud.entry(own, "delivered")
            others = [f"{n:032x}" for n in range(1, 9)]
            sent = [
                cloud.send(session, b"x", "a/b", traceparent=f"00-{one}-{PARENT}-00")
                for one in others
            ]
            for message_id in await asyncio.gather(*sent):
                await cloud.entry(message_id, "delivered")

        async def all_is_there() -> bool:
            linked = {link[:32] for one in collector.spans for link in one.links}
            lines = {one.trace for one in collector.lines if one.text.startswith("delivered")}
            return {CALLER, *others} <= linked & lines

        await until(all_is_there, lambda: f"{collector.spans} {collector.lines}")
        known = {metric.name for metric in METRICS} - {
            "relay.receipts.dead_lettered",
            "relay.messages.rejected",
        }

        async def all_metrics() -> bool:
            return known <= collector.metrics.keys()

        await until(all_metrics, lambda: str(known - collector.metrics.keys()))
        a_message_is_one_connected_trace(collector.spans)
        its_spans_are_as_the_conventions_ask(collector.spans, own)
        its_lines_can_be_followed(collector, own)
        await nothing_secret_is_in_any_of_it(cloud, collector)
        arrived = await cloud.received({own})
        assert (arrived[own].traceparent or "")[3:35] == CALLER


def a_message_is_one_connected_trace(spans: list[Span]) -> None:
    of_message = [one for one in spans if one.trace == CALLER]
    ids = {one.id for one in of_message}
    assert len(ids) == len(of_message), "none is there twice"
    for one in of_message:
        assert one.parent in ids | {f"{CALLER}-{PARENT}"}, one
    found = Counter((one.app, one.name) for one in of_message)
    process = "ServiceBusProcessor.ProcessMessage"
    expected = {
        ("relay-sender", "POST api/messages"): 1,
        ("relay-sender", "seal"): 1,
        ("relay-sender", "send messages"): 1,
        ("relay-receiver", process): 3,
        ("relay-receiver", "open"): 3,
        ("relay-receiver", "POST"): 3,
        ("relay-receiver", "send retries"): 2,
        ("relay-receiver", "send receipts"): 3,
    }
    assert {name: found[name] for name in expected} == expected
    # Of a batch of receipts there is one span, with a link to each message that they came in.
    batches = [one for one in spans if one.name == "process receipts"]
    linked = {link for one in batches for link in one.links}
    assert {one.id for one in of_message if one.name == "send receipts"} <= linked
    assert all(one.kind == "consumer" and not one.parent for one in batches)


def its_spans_are_as_the_conventions_ask(spans: list[Span], message_id: str) -> None:
    of_message = [one for one in spans if one.trace == CALLER]
    for one in of_message:
        if one.name.startswith("send "):
            queue = one.name.removeprefix("send ")
            assert one.kind == "producer"
            assert one.attributes["messaging.system"] == "servicebus"
            assert one.attributes["messaging.operation.name"] == "send"
            assert one.attributes["messaging.operation.type"] == "send"
            assert one.attributes["messaging.destination.name"] == queue
            assert queue in _QUEUES
            if queue != "receipts":
                assert one.attributes["messaging.message.id"].startswith(message_id)
    posts = [one for one in of_message if one.name == "POST"]
    assert all(one.kind == "client" for one in posts)
    assert [one.attributes["http.response.status_code"] for one in posts] == [503, 503, 204]
    assert [one.is_failed for one in posts] == [True, True, False]
    assert [one.attributes.get("error.type") for one in posts] == ["503", "503", None]
    assert [one.attributes.get("http.request.resend_count") for one in posts] == [None, 1, 2]
    for one in posts:
        assert one.attributes["http.request.method"] == "POST"
        assert {"server.address", "server.port"} <= one.attributes.keys()


def its_lines_can_be_followed(collector: Collector, message_id: str) -> None:
    """By its id alone somebody finds the outcomes, each once, and by one of them the trace."""
    lines = [one for one in collector.lines if one.attributes.get("message_id") == message_id]
    outcomes = [(one.text.split()[0], one.attributes.get("attempt")) for one in lines]
    assert outcomes == [("queued", None), ("retry", 1), ("retry", 2), ("delivered", 3)]
    assert {one.trace for one in lines} == {CALLER}
    assert {one.attributes["trace"] for one in lines} == {CALLER}


async def nothing_secret_is_in_any_of_it(cloud: Running, collector: Collector) -> None:
    exported = b"\n".join(body for bodies in collector.bodies.values() for body in bodies)
    text = exported.decode("latin-1")
    for what, secret in await secrets_of(cloud):
        for spelling in spellings(secret):
            assert spelling not in text, f"{what} is exported"
