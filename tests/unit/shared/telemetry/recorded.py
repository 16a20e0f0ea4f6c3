"""OpenTelemetry in memory: what an app records, without a socket."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.sdk.trace.sampling import Sampler

from shared.standards.trace_context import TraceContext
from shared.telemetry.metrics import Metric
from shared.telemetry.open_telemetry import OpenTelemetryRecorder
from shared.telemetry.recording import record_to


@dataclass(frozen=True)
class Recorded:
    """What was recorded so far."""

    _spans: InMemorySpanExporter
    _metrics: InMemoryMetricReader

    @property
    def spans(self) -> list[ReadableSpan]:
        return list(self._spans.get_finished_spans())

    def span(self, name: str) -> ReadableSpan:
        """Return the one span of a name."""
        (found,) = (one for one in self.spans if one.name == name)
        return found

    def times_measured(self, metric: Metric) -> int:
        """Return how many values a histogram has got."""
        return sum(int(point.count) for point in self._points_of(metric))

    def points(self, metric: Metric) -> list[tuple[dict[str, object], float]]:
        """Return attributes and sum of each series of a metric."""
        return [(dict(one.attributes or {}), _value_of(one)) for one in self._points_of(metric)]

    def _points_of(self, metric: Metric) -> list[Any]:
        data = self._metrics.get_metrics_data()
        return [
            point
            for resource in (data.resource_metrics if data else ())
            for scope in resource.scope_metrics
            for one in scope.metrics
            if one.name == metric.name
            for point in one.data.data_points
        ]


def _value_of(point: Any) -> float:
    return float(point.sum if hasattr(point, "sum") else point.value)


@contextmanager
def recording_in_memory(sampler: Sampler | None = None) -> Iterator[Recorded]:
    """Record while the block runs: all traces, or what a sampler decides for."""
    exporter, reader = InMemorySpanExporter(), InMemoryMetricReader()
    traces, meters = TracerProvider(sampler), MeterProvider([reader])
    traces.add_span_processor(SimpleSpanProcessor(exporter))
    record_to(OpenTelemetryRecorder(traces, meters))
    try:
        yield Recorded(exporter, reader)
    finally:
        record_to(None)
        traces.shutdown()
        meters.shutdown()


def context_of(span: ReadableSpan) -> TraceContext:
    """Return what a span below this one names as its parent."""
    found = span.get_span_context()
    assert found
    return TraceContext(f"00-{found.trace_id:032x}-{found.span_id:016x}-01")
