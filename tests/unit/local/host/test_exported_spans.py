"""The spans of a host: which calls have one, and what a function gets of those that have none."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.sdk.trace.sampling import Decision, TraceIdRatioBased

from local.host.exported_spans import ExportedSpans
from local.host.tracing import Trace

KEPT = "0" * 31 + "1"
LEFT_OUT = "f" * 32


@contextmanager
def exporting(
    monkeypatch: pytest.MonkeyPatch, sampler: str, ratio: str = ""
) -> Iterator[tuple[ExportedSpans, InMemorySpanExporter]]:
    """Give the spans of a host, and what they are exported to once it is shut down."""
    monkeypatch.setenv("OTEL_TRACES_SAMPLER", sampler)
    monkeypatch.setenv("OTEL_TRACES_SAMPLER_ARG", ratio)
    exporter = InMemorySpanExporter()
    spans = ExportedSpans({"OTEL_TRACES_SAMPLER": sampler}, exporter)
    try:
        yield spans, exporter
    finally:
        spans.shutdown()


def trace_of(spans: ExportedSpans, parent: Trace) -> Trace:
    with spans.around("POST messages", "SERVER", {"faas.name": "send"}, parent) as call:
        call.attributes["http.response.status_code"] = 202
        return call.trace


def is_sampled(trace: Trace) -> bool:
    return bool(int(trace.parent[53:], 16) & 1)


@pytest.mark.parametrize("flags", ["00", "01"])
@pytest.mark.parametrize(("trace", "is_kept"), [(KEPT, True), (LEFT_OUT, False)])
def test_a_call_is_below_its_caller_and_says_whether_its_trace_is_exported(
    flags: str, trace: str, is_kept: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    parent = f"00-{trace}-{'2' * 16}-{flags}"
    with exporting(monkeypatch, "traceidratio", "0.1") as (spans, exporter):
        found = trace_of(spans, Trace(parent, "x=y"))
    assert found.parent[3:35] == trace
    assert found.parent[36:52] != "2" * 16
    assert is_sampled(found) == is_kept
    assert found.state == "x=y"
    exported = [f"{one.context.span_id:016x}" for one in exporter.get_finished_spans()]
    assert exported == ([found.parent[36:52]] if is_kept else [])


def test_a_call_without_a_caller_is_decided_on_by_the_id_that_it_gets(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    sampler, decisions = TraceIdRatioBased(0.5), []
    with exporting(monkeypatch, "traceidratio", "0.5") as (spans, exporter):
        for _ in range(64):
            found = trace_of(spans, Trace())
            decided = sampler.should_sample(None, int(found.parent[3:35], 16), "a").decision
            assert is_sampled(found) == (decided is Decision.RECORD_AND_SAMPLE)
            decisions.append(is_sampled(found))
    assert set(decisions) == {True, False}
    assert len(exporter.get_finished_spans()) == sum(decisions)


@pytest.mark.parametrize(("sampler", "is_kept"), [("always_on", True), ("always_off", False)])
def test_another_sampler_is_asked(
    sampler: str, is_kept: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    with exporting(monkeypatch, sampler) as (spans, _):
        for parent in (Trace(), Trace(f"00-{LEFT_OUT}-{'2' * 16}-01", "x=y")):
            assert is_sampled(trace_of(spans, parent)) == is_kept
