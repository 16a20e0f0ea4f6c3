"""Traces that the sampler leaves out: what is not recorded of them, and what goes on."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace.sampling import (
    Decision,
    Sampler,
    SamplingResult,
    TraceIdRatioBased,
)

from shared.standards.trace_context import TraceContext
from shared.telemetry import recording
from shared.telemetry.metrics import KEY_VAULT
from shared.telemetry.recording import Kind
from tests.unit.shared.telemetry.recorded import Recorded, recording_in_memory

KEPT = TraceContext(f"00-{'a' * 32}-{'1' * 16}-00")
LEFT_OUT = TraceContext(f"00-{'b' * 32}-{'2' * 16}-01", "x=y")
CONTINUED = TraceContext(f"00-{'b' * 32}-{'2' * 16}-00", "x=y")


class OfOneTrace(Sampler):
    """Keeps one trace, and counts how often it is asked, by trace id."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def should_sample(
        self, parent_context: Any, trace_id: int, *arguments: Any, **named: Any
    ) -> SamplingResult:
        self.asked.append(f"{trace_id:032x}")
        is_kept = self.asked[-1] == KEPT.trace_id
        above = trace.get_current_span(parent_context).get_span_context()
        return SamplingResult(
            Decision.RECORD_AND_SAMPLE if is_kept else Decision.DROP,
            trace_state=above.trace_state,
        )

    def get_description(self) -> str:
        return "of one trace"


@pytest.fixture
def sampler() -> OfOneTrace:
    return OfOneTrace()


@pytest.fixture
def recorded(sampler: OfOneTrace) -> Iterator[Recorded]:
    with recording_in_memory(sampler) as found:
        yield found


def names(recorded: Recorded) -> Sequence[str]:
    return [one.name for one in recorded.spans]


def test_a_call_that_is_left_out_is_decided_on_once_and_records_no_span(
    recorded: Recorded, sampler: OfOneTrace
) -> None:
    with recording.attached(LEFT_OUT):
        for _ in range(3):
            with recording.span("a", Kind.CLIENT, {"b": 1}) as span, recording.span("c"):
                span.set("d", 1)
                span.failed("e")
    assert sampler.asked == [LEFT_OUT.trace_id]
    assert not recorded.spans


def test_what_it_sends_goes_on_in_its_trace_as_one_that_is_not_recorded(
    recorded: Recorded,
) -> None:
    with recording.attached(LEFT_OUT):
        assert recording.current() == LEFT_OUT
        with recording.span("a") as span, recording.span("b") as inner:
            assert span.context == inner.context == CONTINUED
            assert recording.current() == CONTINUED
        assert recording.current() == CONTINUED
    assert not recorded.spans


def test_each_call_is_decided_on_by_itself(recorded: Recorded) -> None:
    with recording.attached(LEFT_OUT), recording.span("a"):
        with recording.attached(KEPT), recording.span("b"), recording.span("c"):
            pass
        with recording.span("d"):
            pass
    assert sorted(names(recorded)) == ["b", "c"]


def test_a_batch_that_is_left_out_leaves_each_message_its_own_trace(recorded: Recorded) -> None:
    batch = recording.attached(None, [KEPT])
    with batch, recording.span("batch"), recording.span("send", parent=KEPT) as span:
        assert span.context is None
        assert recording.current(KEPT) == KEPT
    assert not recorded.spans


def test_a_parent_by_which_a_span_is_left_out_says_nothing_of_its_call(
    recorded: Recorded, sampler: OfOneTrace
) -> None:
    with recording.attached(None), recording.span("a", parent=LEFT_OUT) as span:
        assert (span.context or KEPT).trace_id == LEFT_OUT.trace_id
        with recording.span("b"):
            pass
    with recording.attached(None), recording.span("c", parent=KEPT):
        pass
    assert names(recorded) == ["c"]
    assert sampler.asked == [LEFT_OUT.trace_id, LEFT_OUT.trace_id, KEPT.trace_id]


@pytest.mark.parametrize("ratio", [0.0, 0.1, 0.5, 1.0])
def test_a_ratio_of_traces_is_left_out_as_its_sampler_decides(ratio: float) -> None:
    """Of one whose id is all that counts, it is known before there is a span."""
    sampler, ids = TraceIdRatioBased(ratio), [number << 60 | 1 for number in range(16)]
    keep = Decision.RECORD_AND_SAMPLE
    kept = {one for one in ids if sampler.should_sample(None, one, "a").decision is keep}
    with recording_in_memory(sampler) as recorded:
        for one in ids:
            with recording.attached(TraceContext(f"00-{one:032x}-{'2' * 16}-01", "x=y")):
                sent = recording.current()
                with recording.span("a") as span:
                    continued = span.context
            assert sent
            assert continued
            assert continued.trace_id == sent.trace_id == f"{one:032x}"
            assert continued.state == "x=y"
            assert continued.parent.endswith("-01" if one in kept else "-00")
        found = {span.context.trace_id for span in recorded.spans if span.context}
    assert found == kept


def test_a_batch_without_a_parent_is_decided_on_by_its_own_id() -> None:
    with recording_in_memory(TraceIdRatioBased(1.0)) as recorded:
        with recording.attached(None, [KEPT]), recording.span("a"):
            pass
        assert names(recorded) == ["a"]


def test_what_fails_in_it_fails_and_is_measured(recorded: Recorded) -> None:
    call, about = recording.attached(LEFT_OUT), {"b": 1}
    with pytest.raises(KeyError), call, recording.span("a"), recording.timed(KEY_VAULT, about):
        raise KeyError
    assert recorded.points(KEY_VAULT)[0][0] == {"b": 1, "error.type": "KeyError"}
