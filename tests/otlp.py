"""A collector of OpenTelemetry in memory: what is exported to it by OTLP over HTTP."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
)
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span as SpanMessage

from tests.tcp import serving

_ANSWER = b"HTTP/1.1 200 OK\r\nContent-Type: application/x-protobuf\r\nContent-Length: 0\r\n\r\n"


@dataclass(frozen=True)
class Span:
    """One exported span; ids are in hexadecimal, `parent` and links as `trace-span`.

    `size` is in bytes, without what a request says once of all in it.
    """

    app: str
    name: str
    kind: str
    trace: str
    id: str
    parent: str
    links: Sequence[str]
    attributes: Mapping[str, Any]
    is_failed: bool
    size: int


@dataclass(frozen=True)
class Line:
    """One exported line of a log."""

    app: str
    text: str
    trace: str
    attributes: Mapping[str, Any]
    size: int


@dataclass
class Collector:
    """What was exported; `bodies` are the requests as they came, by path."""

    port: int = 0
    bodies: dict[str, list[bytes]] = field(default_factory=dict)

    @property
    def settings(self) -> dict[str, str]:
        """The settings of an app that exports to it, all of it and soon."""
        return {
            "OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{self.port}",
            "OTEL_TRACES_SAMPLER": "always_on",
            "OTEL_BSP_SCHEDULE_DELAY": "100",
            "OTEL_BLRP_SCHEDULE_DELAY": "100",
            "OTEL_METRIC_EXPORT_INTERVAL": "500",
        }

    @property
    def spans(self) -> list[Span]:
        found = []
        for body in self.bodies.get("/v1/traces", []):
            for resource in ExportTraceServiceRequest.FromString(body).resource_spans:
                app = _attributes(resource.resource)["service.name"]
                for scope in resource.scope_spans:
                    found += [_span(app, one) for one in scope.spans]
        return found

    @property
    def lines(self) -> list[Line]:
        found = []
        for body in self.bodies.get("/v1/logs", []):
            for resource in ExportLogsServiceRequest.FromString(body).resource_logs:
                app = _attributes(resource.resource)["service.name"]
                found += [
                    Line(
                        app,
                        one.body.string_value,
                        one.trace_id.hex(),
                        _attributes(one),
                        one.ByteSize(),
                    )
                    for scope in resource.scope_logs
                    for one in scope.log_records
                ]
        return found

    @property
    def metrics(self) -> dict[str, list[Mapping[str, Any]]]:
        """The attributes of each series, by metric."""
        found: dict[str, list[Mapping[str, Any]]] = {}
        for body in self.bodies.get("/v1/metrics", []):
            for resource in ExportMetricsServiceRequest.FromString(body).resource_metrics:
                for scope in resource.scope_metrics:
                    for one in scope.metrics:
                        points = [*one.sum.data_points, *one.histogram.data_points]
                        series = found.setdefault(one.name, [])
                        series += [
                            about for point in points if (about := _attributes(point)) not in series
                        ]
        return found

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
            path = head.split(" ", 2)[1]
            headers = dict(
                line.lower().split(": ", 1) for line in head.split("\r\n")[1:] if ": " in line
            )
            body = await reader.readexactly(int(headers["content-length"]))
            self.bodies.setdefault(path, []).append(body)
            writer.write(_ANSWER)
            await writer.drain()


@asynccontextmanager
async def collecting() -> AsyncIterator[Collector]:
    """Collect while the block runs."""
    collector = Collector()
    async with serving(collector._serve) as collector.port:
        yield collector


def _span(app: str, one: SpanMessage) -> Span:
    trace, parent = one.trace_id.hex(), one.parent_span_id.hex()
    return Span(
        app,
        one.name,
        SpanMessage.SpanKind.Name(one.kind).removeprefix("SPAN_KIND_").lower(),
        trace,
        f"{trace}-{one.span_id.hex()}",
        f"{trace}-{parent}" if parent else "",
        [f"{link.trace_id.hex()}-{link.span_id.hex()}" for link in one.links],
        _attributes(one),
        one.status.code == 2,
        one.ByteSize(),
    )


def _attributes(one: Any) -> dict[str, Any]:
    return {
        pair.key: getattr(pair.value, pair.value.WhichOneof("value")) for pair in one.attributes
    }
