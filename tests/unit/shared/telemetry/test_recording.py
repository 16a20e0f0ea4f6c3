from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest
from opentelemetry.sdk.metrics import MeterProvider, ObservableCounter
from opentelemetry.sdk.metrics.export import AggregationTemporality, InMemoryMetricReader
from opentelemetry.sdk.trace import TracerProvider

from shared.standards.trace_context import TraceContext
from shared.telemetry import recording
from shared.telemetry.metrics import DENIED, KEY_VAULT, METRICS, SENDING
from shared.telemetry.open_telemetry import OpenTelemetryRecorder
from shared.telemetry.recording import Kind
from tests.unit.shared.telemetry.recorded import Recorded, context_of, recording_in_memory

PARENT = TraceContext(f"00-{'a' * 32}-{'b' * 16}-01", "x=y")
OTHER = TraceContext(f"00-{'c' * 32}-{'d' * 16}-01")


@pytest.fixture
def recorded() -> Iterator[Recorded]:
    with recording_in_memory() as found:
        yield found


def test_while_it_is_off_nothing_is_recorded_and_the_trace_goes_through() -> None:
    with recording.attached(PARENT), recording.span("a", Kind.CLIENT) as span:
        assert span.context is None
        assert recording.current(OTHER) == OTHER
    with recording.timed(SENDING) as measured:
        measured["a"] = 1
    recording.count(DENIED)
    assert not recording.is_on()


def test_while_it_is_off_no_span_and_nothing_else_is_made() -> None:
    assert recording.span("a", Kind.CLIENT, {"b": 1}) is recording.span("c", parent=OTHER)
    assert recording.attached(PARENT, [OTHER]) is recording.attached(None)


def test_spans_are_below_the_call_and_below_one_another(recorded: Recorded) -> None:
    with recording.attached(PARENT), recording.span("a") as outer, recording.span("b"):
        pass
    first, second = recorded.span("a"), recorded.span("b")
    assert first.parent
    assert f"{first.parent.span_id:x}" == "b" * 16
    assert outer.context == TraceContext(context_of(first).parent, "x=y")
    assert second.parent == first.get_span_context()


def test_a_span_without_a_call_is_below_the_parent_that_it_is_given(recorded: Recorded) -> None:
    with recording.span("a", parent=PARENT), recording.span("b", parent=OTHER):
        pass
    assert {context_of(one).trace_id for one in recorded.spans} == {"a" * 32}


def test_a_call_belongs_to_no_call_around_it(recorded: Recorded) -> None:
    with recording.attached(PARENT), recording.span("a"):
        with recording.attached(OTHER), recording.span("b"):
            pass
        with recording.attached(None), recording.span("c"):
            pass
    assert context_of(recorded.span("b")).trace_id == "c" * 32
    assert recorded.span("c").parent is None


def test_the_first_span_of_a_batch_links_to_each_of_it_and_no_other_does(
    recorded: Recorded,
) -> None:
    with recording.attached(None, [PARENT, OTHER]), recording.span("a"), recording.span("b"):
        pass
    links = [f"{link.context.trace_id:x}" for link in recorded.span("a").links]
    assert links == ["a" * 32, "c" * 32]
    assert not recorded.span("b").links


async def test_calls_at_once_do_not_mix(recorded: Recorded) -> None:
    async def call(parent: TraceContext) -> TraceContext | None:
        with recording.attached(parent), recording.span("a"):
            await asyncio.sleep(0)
            return recording.current()

    found = await asyncio.gather(call(PARENT), call(OTHER))
    assert [one and one.trace_id for one in found] == ["a" * 32, "c" * 32]


def test_a_span_that_ends_by_an_error_has_its_type_and_not_its_text(recorded: Recorded) -> None:
    with pytest.raises(ValueError, match="planted"), recording.span("a"):
        raise ValueError("planted secret")
    span = recorded.span("a")
    assert (span.attributes or {})["error.type"] == "ValueError"
    assert not span.status.is_ok
    assert "planted" not in span.to_json()


def test_what_fails_is_measured_with_the_type_of_its_error(recorded: Recorded) -> None:
    with pytest.raises(KeyError), recording.timed(KEY_VAULT, {"a": 1}):
        raise KeyError
    with recording.timed(KEY_VAULT, {"a": 1}) as measured:
        measured["b"] = 2
    found = [about for about, _ in recorded.points(KEY_VAULT)]
    assert found == [{"a": 1, "error.type": "KeyError"}, {"a": 1, "b": 2}]


def test_what_counts_adds_up(recorded: Recorded) -> None:
    recording.count(DENIED, 1, {"a": 1})
    recording.count(DENIED, 2, {"a": 1})
    assert recorded.points(DENIED) == [({"a": 1}, 3)]


def test_what_counts_is_exported_as_what_was_added_since_where_that_is_asked_for() -> None:
    """As Azure Monitor's exporter asks for: alerts sum up what each export has."""
    delta = {ObservableCounter: AggregationTemporality.DELTA}
    reader = InMemoryMetricReader(delta)  # type: ignore[arg-type] # the SDK's is the API's class
    meters = MeterProvider([reader])
    recorder = OpenTelemetryRecorder(TracerProvider(), meters)
    exported = []
    for value in (2, 3):
        recorder.record(DENIED, value, {"a": 1})
        data = reader.get_metrics_data()
        assert data
        (metric,) = data.resource_metrics[0].scope_metrics[0].metrics
        exported += [point.value for point in metric.data.data_points]  # type: ignore[union-attr]
    assert exported == [2, 3]
    meters.shutdown()


def test_each_metric_has_a_name_of_its_own() -> None:
    assert len({one.name for one in METRICS}) == len(METRICS)
