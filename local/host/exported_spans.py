"""The spans of a host, exported by OTLP as the environment says."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.trace.sampling import DEFAULT_ON
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from local.host.spans import HostCall, HostSpans, SpanKind
from local.host.tracing import Trace

_W3C = TraceContextTextMapPropagator()


class ExportedSpans(HostSpans):
    """Records each call by OpenTelemetry."""

    def __init__(self, settings: Mapping[str, str]) -> None:
        super().__init__(is_open_telemetry=True)
        name = settings.get("OTEL_SERVICE_NAME") or f"relay-{settings.get('RELAY_APP', 'app')}"
        # The host's are those of .NET's Azure Monitor as well, which nothing here knows.
        is_known = not settings.get("OTEL_TRACES_SAMPLER", "").startswith("microsoft.")
        provider = TracerProvider(
            None if is_known else DEFAULT_ON, resource=Resource.create({"service.name": name})
        )
        provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
        self._tracer = provider.get_tracer("local.host")

    @contextmanager
    def around(
        self, name: str, kind: SpanKind, attributes: Mapping[str, str], parent: Trace
    ) -> Iterator[HostCall]:
        """See `HostSpans`."""
        headers = {"traceparent": parent.parent, "tracestate": parent.state}
        span = self._tracer.start_span(
            name,
            _W3C.extract(headers, Context()),
            trace.SpanKind[kind],
            dict(attributes),
        )
        inside: dict[str, str] = {}
        _W3C.inject(inside, trace.set_span_in_context(span, Context()))
        call = HostCall(Trace(inside["traceparent"], inside.get("tracestate", "")))
        try:
            yield call
        except BaseException:
            span.set_status(trace.Status(trace.StatusCode.ERROR))
            raise
        finally:
            span.set_attributes(call.attributes)
            span.end()
