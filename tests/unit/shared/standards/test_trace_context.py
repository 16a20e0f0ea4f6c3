from __future__ import annotations

import pytest

from shared.standards.trace_context import TraceContext

TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
OTHER = f"00-{'1' * 32}-{'2' * 16}-00"


@pytest.mark.parametrize("value", [TRACE, "01" + TRACE[2:], TRACE[:-2] + "00"])
def test_a_valid_trace_is_kept(value: str) -> None:
    assert TraceContext.parse(value) == TraceContext(value)


@pytest.mark.parametrize(
    "value",
    [
        None,
        7,
        b"00",
        "",
        "ff" + TRACE[2:],
        TRACE.upper(),
        TRACE + "-more",
        TRACE + "\n",
        TRACE.replace("0af7651916cd43dd8448eb211c80319c", "0" * 32),
        TRACE.replace("b7ad6b7169203331", "0" * 16),
        "\u0660" + TRACE[1:],
    ],
)
def test_an_invalid_trace_is_left_out_with_its_state(value: object) -> None:
    assert TraceContext.parse(value, "a=b") is None


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("a=b", "a=b"),
        ("rojo=00f067aa0ba902b7,congo=t61rcWkgMzE", "rojo=00f067aa0ba902b7,congo=t61rcWkgMzE"),
        ("1a-_*/@tenant=value with blanks", "1a-_*/@tenant=value with blanks"),
        (" a=b\t,, c=d ", "a=b,c=d"),
        (",".join(f"k{n}=v" for n in range(32)), ",".join(f"k{n}=v" for n in range(32))),
    ],
)
def test_a_valid_state_is_kept(given: str, kept: str) -> None:
    assert TraceContext.parse(TRACE, given) == TraceContext(TRACE, kept)


@pytest.mark.parametrize(
    "state",
    [
        None,
        7,
        b"a=b",
        "a",
        "a=",
        "=b",
        "A=b",
        "a=b=c",
        "a=b,a=c",
        "a=b\r\nX-Other: 1",
        "a=\u00e4",
        "a=b\x00",
        "a=" + "b" * 511,
        ",".join(f"k{n}=v" for n in range(33)),
        "a@" + "b" * 15 + "=c",
    ],
)
def test_an_invalid_state_is_left_out_alone(state: object) -> None:
    assert TraceContext.parse(TRACE, state) == TraceContext(TRACE)


def test_a_message_has_its_trace_for_readers_of_either_property() -> None:
    assert TraceContext(TRACE, "a=b").to_properties() == {
        "traceparent": TRACE,
        "tracestate": "a=b",
        "Diagnostic-Id": TRACE,
    }
    assert TraceContext(TRACE).to_headers() == {"traceparent": TRACE}


@pytest.mark.parametrize(
    ("properties", "found"),
    [
        ({"Diagnostic-Id": TRACE}, TraceContext(TRACE)),
        ({"traceparent": TRACE, "Diagnostic-Id": OTHER}, TraceContext(TRACE)),
        ({"traceparent": "x", "Diagnostic-Id": OTHER}, TraceContext(OTHER)),
        # A state belongs to the `traceparent` that it came with.
        ({"Diagnostic-Id": OTHER, "tracestate": "a=b"}, TraceContext(OTHER)),
        ({"traceparent": 7, "Diagnostic-Id": ["x"]}, None),
        ({}, None),
    ],
)
def test_the_trace_of_a_message_is_by_traceparent_first(
    properties: dict[str, object], found: TraceContext | None
) -> None:
    assert TraceContext.from_properties(properties) == found


def test_the_id_of_a_trace_is_what_its_spans_have_in_common() -> None:
    assert TraceContext(TRACE).trace_id == "0af7651916cd43dd8448eb211c80319c"
