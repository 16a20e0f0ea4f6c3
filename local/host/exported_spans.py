"""The spans of a host, exported by OTLP as the environment says."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter
from opentelemetry.sdk.trace.id_generator import RandomIdGenerator
from opentelemetry.sdk.trace.sampling import DEFAULT_ON, TraceIdRatioBased
from opentelemetry.trace import NonRecordingSpan, SpanContext, TraceFlags, TraceState

from local.host.spans import HostCall, HostSpans, SpanKind
from local.host.tracing import Trace


class _Ids(RandomIdGenerator):
    """Gives a span without a parent the id by which it was not left out."""

    def __init__(self) -> None:
        self.of_root = 0

    def generate_trace_id(self) -> int:
        """Return the id of a trace that begins."""
        return self.of_root


class ExportedSpans(HostSpans):
    """Records each call by OpenTelemetry, and exports it by OTLP unless an exporter is given."""

    def __init__(self, settings: Mapping[str, str], exporter: SpanExporter | None = None) -> None:
        super().__init__(is_open_telemetry=True)
        name = settings.get("OTEL_SERVICE_NAME") or f"relay-{settings.get('RELAY_APP', 'app')}"
        # The host's are those of .NET's Azure Monitor as well, which nothing here knows.
        is_known = not settings.get("OTEL_TRACES_SAMPLER", "").startswith("microsoft.")
        self._ids = _Ids()
        self._provider = provider = TracerProvider(
            None if is_known else DEFAULT_ON,
            resource=Resource.create({"service.name": name}),
            id_generator=self._ids,
        )
        provider.add_span_processor(BatchSpanProcessor(exporter or OTLPSpanExporter()))
        sampler = provider.sampler
        self._ratio = sampler if type(sampler) is TraceIdRatioBased else None
        self._tracer = provider.get_tracer("local.host")

    def shutdown(self) -> None:
        """Export what is left; it is done when the process ends, too."""
        self._provider.shutdown()

    @contextmanager
    def around(
        self, name: str, kind: SpanKind, attributes: Mapping[str, str], parent: Trace
    ) -> Iterator[HostCall]:
        """See `HostSpans`."""
        below = Trace.below(parent.parent, parent.state)
        trace_id = int(below.parent[3:35], 16)
        if self._ratio and trace_id & self._ratio.TRACE_ID_LIMIT >= self._ratio.bound:
            # Most are left out: to make a span only to learn that costs a call ten times as much.
            yield HostCall(Trace(f"{below.parent[:-2]}00", below.state))
            return
        self._ids.of_root = trace_id
        span = self._tracer.start_span(name, _below(parent), trace.SpanKind[kind], dict(attributes))
        call = HostCall(_trace_of(span.get_span_context()))
        try:
            yield call
        except BaseException:
            span.set_status(trace.Status(trace.StatusCode.ERROR))
            raise
        finally:
            span.set_attributes(call.attributes)
            span.end()


def _below(parent: Trace) -> Context:
    # Not by the SDK's propagator: a call would pay for reading and writing headers.
    if not Trace.is_parent(parent.parent):
        return Context()
    _, trace_id, span_id, flags = parent.parent.split("-")
    context = SpanContext(
        int(trace_id, 16),
        int(span_id, 16),
        is_remote=True,
        trace_flags=TraceFlags(int(flags, 16)),
        trace_state=TraceState.from_header([parent.state]) if parent.state else None,
    )
    return trace.set_span_in_context(NonRecordingSpan(context), Context())


def _trace_of(context: SpanContext) -> Trace:
    parent = f"00-{context.trace_id:032x}-{context.span_id:016x}-{context.trace_flags:02x}"
    return Trace(parent, context.trace_state.to_header())
