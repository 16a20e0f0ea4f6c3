from __future__ import annotations

import pytest

from shared.standards.trace_context import traceparent

TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


@pytest.mark.parametrize("value", [TRACE, "01" + TRACE[2:], TRACE[:-2] + "00"])
def test_a_valid_trace_is_kept(value: str) -> None:
    assert traceparent(value) == value


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
def test_an_invalid_trace_is_left_out(value: object) -> None:
    assert traceparent(value) is None
