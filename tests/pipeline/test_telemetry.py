"""What the apps export: one trace of a message, lines about it, metrics, and nothing secret."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import ExitStack, asynccontextmanager
from pathlib import Path

from bench.inputs import ITEM_BYTES
from shared.telemetry.metrics import METRICS
from tests.otlp import Collector, Span, collecting
from tests.pipeline.cloud_process import ROOT, SNAPSHOT, Running, running, with_settings
from tests.pipeline.scenario import QUICK
from tests.pipeline.test_logs import PLANTED, secrets_of, spellings
from tests.pipeline.waiting import until

CALLER = "0af7651916cd43dd8448eb211c80319c"
PARENT = "b7ad6b7169203331"
_APPS = ("sender", "receiver", "tracker")
# No service fails here but the partner, which is asked again.
_OF_FAILURES = {
    *("relay.denied", "relay.throttled"),
    *("relay.messages.rejected", "relay.receipts.dead_lettered"),
}
_MOST_ITEMS, _MOST_BYTES = 6, 6_000
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
        known = {metric.name for metric in METRICS} - _OF_FAILURES

        async def all_metrics() -> bool:
            return known <= collector.metrics.keys()

        await until(all_metrics, lambda: str(known - collector.metrics.keys()))
        a_message_is_one_connected_trace(collector.spans)
        its_spans_are_as_the_conventions_ask(collector.spans, own)
        its_lines_can_be_followed(collector, own)
        a_message_costs_at_most_six_items_at_the_defaults(collector, others)
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


def a_message_costs_at_most_six_items_at_the_defaults(
    collector: Collector, traces: list[str]
) -> None:
    """By hosts and apps together, of messages that are delivered at once.

    Of traces the deployment exports a part; here it is all of them, to be counted.
    """
    document = json.loads((ROOT / "infra" / SNAPSHOT).read_text())
    sites = [one for one in document["predictedResources"] if one["type"] == "Microsoft.Web/sites"]
    for site in sites:
        pairs = site["properties"]["siteConfig"]["appSettings"]
        deployed = {one["name"]: one["value"] for one in pairs}
        assert deployed["OTEL_TRACES_SAMPLER"] == "microsoft.fixed_percentage"
        assert deployed["PYTHON_ENABLE_OPENTELEMETRY"] == "true"
        ratio = float(deployed["OTEL_TRACES_SAMPLER_ARG"])
    spans = [one for one in collector.spans if one.trace in traces]
    batches = [one for one in collector.spans if one.name == "process receipts"]
    lines = [one for one in collector.lines if one.trace in traces]
    # A batch's span and line are of all its messages; each is counted here as one of its own.
    items = (len(lines) + ratio * len(spans)) / len(traces) + 1 + ratio
    size = (sum(one.size for one in lines) + ratio * sum(one.size for one in spans)) / len(traces)
    size += ratio * max(one.size for one in batches) + max(one.size for one in collector.lines)
    print(
        f"a message: {items:.1f} items, {size:.0f} bytes by OTLP, {len(spans) / len(traces)} spans"
    )
    assert items <= _MOST_ITEMS
    assert items * ITEM_BYTES.value <= _MOST_BYTES
    assert size <= _MOST_BYTES


async def nothing_secret_is_in_any_of_it(cloud: Running, collector: Collector) -> None:
    exported = b"\n".join(body for bodies in collector.bodies.values() for body in bodies)
    text = exported.decode("latin-1")
    for what, secret in await secrets_of(cloud):
        for spelling in spellings(secret):
            assert spelling not in text, f"{what} is exported"
