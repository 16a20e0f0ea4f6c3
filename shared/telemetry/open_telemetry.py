"""Spans and metrics by OpenTelemetry; imported only where there is something to export to."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from opentelemetry import context as contexts
from opentelemetry import trace
from opentelemetry.metrics import Counter, Histogram, MeterProvider
from opentelemetry.trace import Link, SpanKind, Status, StatusCode, TracerProvider
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from shared.standards.trace_context import TraceContext
from shared.telemetry.metrics import METRICS, Metric
from shared.telemetry.recording import Attributes, Kind

_NAME = "sealed-relay"
_LINKS = contexts.create_key("links")
_W3C = TraceContextTextMapPropagator()


class OpenTelemetryRecorder:
    """Records to two providers, which export by themselves."""

    def __init__(self, traces: TracerProvider, meters: MeterProvider) -> None:
        self._tracer = traces.get_tracer(_NAME)
        meter = meters.get_meter(_NAME)
        self._instruments: dict[str, Counter | Histogram] = {
            one.name: meter.create_histogram(
                one.name,
                one.unit,
                one.description,
                explicit_bucket_boundaries_advisory=one.bounds,
            )
            if one.bounds
            else meter.create_counter(one.name, one.unit, one.description)
            for one in METRICS
        }

    @contextmanager
    def span(
        self, name: str, kind: Kind, attributes: Attributes, parent: TraceContext | None
    ) -> Iterator[_Span]:
        """See `Recorder`."""
        around = contexts.get_current()
        if not trace.get_current_span(around).get_span_context().is_valid:
            around = _below(parent, around)
        links = [Link(one) for one in map(_span_context, _links(around)) if one.is_valid]
        begun = self._tracer.start_span(
            name,
            context=around,
            kind=SpanKind[kind.name],
            attributes=dict(attributes),
            links=links,
            record_exception=False,
            set_status_on_exception=False,
        )
        inside = trace.set_span_in_context(begun, contexts.set_value(_LINKS, (), around))
        token = contexts.attach(inside)
        try:
            yield _Span(begun)
        finally:
            contexts.detach(token)
            begun.end()

    @contextmanager
    def attached(
        self, parent: TraceContext | None, links: Sequence[TraceContext]
    ) -> Iterator[None]:
        """See `Recorder`."""
        # Not on top of the current context: what is done now belongs to nobody else.
        inside = contexts.set_value(_LINKS, tuple(links), _below(parent, contexts.Context()))
        token = contexts.attach(inside)
        try:
            yield
        finally:
            contexts.detach(token)

    def current(self) -> TraceContext | None:
        """See `Recorder`."""
        return _context_of(trace.get_current_span())

    def record(self, metric: Metric, value: float, attributes: Attributes) -> None:
        """See `Recorder`."""
        instrument = self._instruments[metric.name]
        if isinstance(instrument, Histogram):
            instrument.record(value, dict(attributes))
        else:
            instrument.add(value, dict(attributes))


class _Span:
    def __init__(self, found: trace.Span) -> None:
        self._span = found

    @property
    def context(self) -> TraceContext | None:
        return _context_of(self._span)

    def set(self, name: str, value: str | int | float) -> None:
        self._span.set_attribute(name, value)

    def failed(self, kind: str) -> None:
        self._span.set_attribute("error.type", kind)
        self._span.set_status(Status(StatusCode.ERROR))


def _below(parent: TraceContext | None, around: contexts.Context) -> contexts.Context:
    return _W3C.extract(parent.to_headers(), around) if parent else around


def _span_context(one: TraceContext) -> trace.SpanContext:
    found = _W3C.extract(one.to_headers(), contexts.Context())
    return trace.get_current_span(found).get_span_context()


def _links(around: contexts.Context) -> Sequence[TraceContext]:
    found = contexts.get_value(_LINKS, around)
    return found if isinstance(found, tuple) else ()


def _context_of(one: trace.Span) -> TraceContext | None:
    headers: dict[str, str] = {}
    _W3C.inject(headers, trace.set_span_in_context(one, contexts.Context()))
    return TraceContext.from_headers(headers)
