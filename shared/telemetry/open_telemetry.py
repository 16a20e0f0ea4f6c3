"""Spans and metrics by OpenTelemetry; imported only where there is something to export to."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager
from contextvars import ContextVar, Token
from types import TracebackType

from opentelemetry import context as contexts
from opentelemetry import trace
from opentelemetry.metrics import CallbackOptions, Meter, MeterProvider, Observation
from opentelemetry.sdk.trace.sampling import TraceIdRatioBased
from opentelemetry.trace import (
    INVALID_SPAN_CONTEXT,
    Link,
    NonRecordingSpan,
    SpanContext,
    SpanKind,
    Status,
    StatusCode,
    TraceFlags,
    TracerProvider,
    TraceState,
)

from shared.standards.trace_context import TraceContext
from shared.telemetry.histograms import Histograms
from shared.telemetry.metrics import METRICS, Metric
from shared.telemetry.pending_values import PendingValues
from shared.telemetry.recording import Attributes, Kind, Span

SCOPE = "sealed-relay"
"""The name of what records, for spans and metrics."""

_TRACE_ID_BYTES = 16
_SPAN_ID_BYTES = 8
_KINDS = {one: SpanKind[one.name] for one in Kind}
# What a context has its span as; to have the API make the context takes a message three times as
# long.
(_SPAN,) = trace.set_span_in_context(trace.INVALID_SPAN, contexts.Context())


class OpenTelemetryRecorder:
    """Records to two providers, which export by themselves.

    What `histograms` takes goes there instead.
    """

    def __init__(
        self,
        traces: TracerProvider,
        meters: MeterProvider,
        histograms: Histograms | None = None,
    ) -> None:
        self._tracer = traces.get_tracer(SCOPE)
        sampler = getattr(traces, "sampler", None)
        # Of the sampler that asks the trace's id alone, a comparison says what it would decide.
        self._ratio = sampler if type(sampler) is TraceIdRatioBased else None
        meter = meters.get_meter(SCOPE)
        self._add = {one.name: _added_to(one, meter, histograms) for one in METRICS}

    def span(
        self, name: str, kind: Kind, attributes: Attributes, parent: TraceContext | None
    ) -> AbstractContextManager[Span]:
        """See `Recorder`."""
        call = _current.get()
        if call and call.left_out:
            return call.left_out
        return _Recording(self._tracer, name, kind, attributes, parent)

    def attached(self, parent: TraceContext | None, links: Sequence[TraceContext]) -> _Attached:
        """See `Recorder`."""
        call = _Call(parent, links)
        if parent and self._ratio and not _is_kept(parent, self._ratio):
            call.leave_out()
        return _Attached(call)

    def current(self) -> TraceContext | None:
        """See `Recorder`."""
        call = _current.get()
        if call and call.left_out:
            return call.trace
        span = trace.get_current_span()
        return span.trace if isinstance(span, _Call) else _trace_of(span.get_span_context())

    def record(self, metric: Metric, value: float, attributes: Attributes) -> None:
        """See `Recorder`."""
        self._add[metric.name](value, attributes)


def _added_to(
    metric: Metric, meter: Meter, own: Histograms | None
) -> Callable[[float, Attributes], None]:
    """Return what takes the values of a metric."""
    name, unit, description = metric.name, metric.unit, metric.description
    if not metric.bounds:
        counts = _Counts()
        meter.create_observable_counter(name, [counts.observe], unit, description)
        return counts.pending.add
    if own and (pending := own.of(metric)):
        return pending.add
    return meter.create_histogram(
        name, unit, description, explicit_bucket_boundaries_advisory=metric.bounds
    ).record


def ids_of(context: contexts.Context) -> tuple[bytes, bytes, int]:
    """Return trace id, span id and flags of what a context is below, as OTLP has them.

    The ids are empty where it is below nothing.
    """
    span = trace.get_current_span(context)
    if isinstance(span, _Call) and span.parent:
        # Not by way of a context of the SDK, which takes a line as long as all else of it.
        _, trace_id, span_id, flags = span.parent.parent.split("-")
        return bytes.fromhex(trace_id), bytes.fromhex(span_id), int(flags, 16)
    found = span.get_span_context()
    return (
        found.trace_id.to_bytes(_TRACE_ID_BYTES) if found.trace_id else b"",
        found.span_id.to_bytes(_SPAN_ID_BYTES) if found.span_id else b"",
        found.trace_flags,
    )


class _Counts:
    """The sums of one metric by attributes, read at each export.

    The SDK's counter validates and sorts the attributes each time, which takes some ten times as
    long.
    """

    def __init__(self) -> None:
        self._sums: dict[frozenset[tuple[str, str | int | float]], float] = {}
        self.pending = PendingValues(self._sum_up)

    def _sum_up(self, value: float, attributes: Attributes) -> None:
        key = frozenset(attributes.items())
        self._sums[key] = self._sums.get(key, 0) + value

    def observe(self, _: CallbackOptions) -> Iterable[Observation]:
        """Return the sums so far."""
        with self.pending.summed_up():
            return [Observation(total, dict(key)) for key, total in self._sums.items()]


class _Call(NonRecordingSpan):
    """What the spans of a call are below of, and what the sampler has decided for its trace.

    Once a span of it is left out, so are all others: samplers decide by the trace, and a part of
    one that is not exported would be worth nothing. Most calls are left out at the defaults, and
    cost little more than this object.
    """

    def __init__(self, parent: TraceContext | None, links: Sequence[TraceContext]) -> None:
        # Not that of the SDK: most calls are left out, and nobody asks for their context.
        self._found: SpanContext | None = None
        self.parent = parent
        self.trace = parent
        self.links = links
        self.left_out: _LeftOut | None = None

    def get_span_context(self) -> SpanContext:
        """Return what its spans are below."""
        if self._found is None:
            self._found = _context_of(self.parent) if self.parent else INVALID_SPAN_CONTEXT
        return self._found

    def __repr__(self) -> str:
        return f"_Call({self.get_span_context()!r})"

    def take_links(self) -> Sequence[Link]:
        """Return the links of the first span, to whoever is first."""
        taken, self.links = self.links, ()
        return [Link(_context_of(one)) for one in taken]

    def leave_out(self) -> _LeftOut:
        """Record no span of it; whoever continues its trace is to do likewise."""
        if self.trace:
            flags = int(self.trace.parent[-2:], 16)
            if flags & TraceFlags.SAMPLED:
                unsampled = flags & ~TraceFlags.SAMPLED
                parent = f"{self.trace.parent[:-2]}{unsampled:02x}"
                self.trace = TraceContext(parent, self.trace.state)
        self.left_out = _LeftOut(self.trace)
        return self.left_out


# Beside the SDK's own context, which takes several times as long to ask.
_current: ContextVar[_Call | None] = ContextVar("relay_call", default=None)


class _Attached:
    """Lets a call's spans be below its parent, as long as it lasts."""

    __slots__ = ("_call", "_outer", "_token")

    _outer: Token[_Call | None]
    _token: Token[contexts.Context]

    def __init__(self, call: _Call) -> None:
        self._call = call

    def __enter__(self) -> None:
        # Not on top of the current context: what is done now belongs to nobody else.
        self._token = contexts.attach(contexts.Context({_SPAN: self._call}))
        self._outer = _current.set(self._call)

    def __exit__(self, *error: object) -> None:
        _current.reset(self._outer)
        contexts.detach(self._token)


class _LeftOut:
    """A span that is not recorded: what it sends goes on in the trace that it would be of."""

    __slots__ = ("context",)

    def __init__(self, context: TraceContext | None) -> None:
        self.context = context

    def set(self, name: str, value: str | int | float) -> None:
        """Do nothing."""

    def failed(self, kind: str) -> None:
        """Do nothing."""

    def __enter__(self) -> Span:
        return self

    def __exit__(self, *error: object) -> None:
        pass


class _Recording:
    """A span from its start to its end."""

    __slots__ = ("_attributes", "_kind", "_name", "_parent", "_span", "_token", "_tracer")

    _span: trace.Span

    def __init__(
        self,
        tracer: trace.Tracer,
        name: str,
        kind: Kind,
        attributes: Attributes,
        parent: TraceContext | None,
    ) -> None:
        self._tracer, self._name, self._kind = tracer, name, kind
        self._attributes, self._parent = attributes, parent
        self._token: Token[contexts.Context] | None = None

    def __enter__(self) -> Span:
        around = contexts.get_current()
        above = trace.get_current_span(around)
        call = above if isinstance(above, _Call) else None
        links = call.take_links() if call else ()
        if self._parent and not above.get_span_context().is_valid:
            found = NonRecordingSpan(_context_of(self._parent))
            around = trace.set_span_in_context(found, around)
            call = None  # of another trace, so what the sampler decides is not of the call
        begun = self._tracer.start_span(
            self._name,
            context=around,
            kind=_KINDS[self._kind],
            attributes=dict(self._attributes),
            links=links,
            record_exception=False,
            set_status_on_exception=False,
        )
        if call and not begun.is_recording():
            return call.leave_out()
        self._span = begun
        self._token = contexts.attach(trace.set_span_in_context(begun, around))
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._token is None:
            return
        contexts.detach(self._token)
        if kind:
            self.failed(kind.__name__)
        self._span.end()

    @property
    def context(self) -> TraceContext | None:
        """See `Span`."""
        return _trace_of(self._span.get_span_context())

    def set(self, name: str, value: str | int | float) -> None:
        """See `Span`."""
        self._span.set_attribute(name, value)

    def failed(self, kind: str) -> None:
        """See `Span`."""
        self._span.set_attribute("error.type", kind)
        self._span.set_status(Status(StatusCode.ERROR))


def _is_kept(one: TraceContext, by: TraceIdRatioBased) -> bool:
    return int(one.trace_id, 16) & by.TRACE_ID_LIMIT < by.bound


def _context_of(one: TraceContext) -> SpanContext:
    # Not by the SDK's propagator, which looks again whether it is valid.
    _, trace_id, span_id, flags = one.parent.split("-")
    state = TraceState.from_header([one.state]) if one.state else None
    return SpanContext(
        int(trace_id, 16),
        int(span_id, 16),
        is_remote=True,
        trace_flags=TraceFlags(int(flags, 16)),
        trace_state=state,
    )


def _trace_of(one: SpanContext) -> TraceContext | None:
    if not one.is_valid:
        return None
    parent = f"00-{one.trace_id:032x}-{one.span_id:016x}-{one.trace_flags:02x}"
    if one.trace_state:
        return TraceContext.parse(parent, one.trace_state.to_header())
    return TraceContext(parent)
