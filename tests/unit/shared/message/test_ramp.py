"""The pace at which many messages are sent again."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.message.ramp import Ramp


def test_a_constant_pace() -> None:
    assert [Ramp.constant(4).seconds(n) for n in (0, 1, 400)] == [0, 0.25, 100]


def test_a_pace_that_grows_reaches_its_limit() -> None:
    ramp = Ramp(first=5, growth=0.5, limit=50)
    assert ramp.seconds(0) == 0
    assert ramp.seconds(9) == pytest.approx(1.66, abs=0.01)
    assert ramp.seconds(2475) == pytest.approx(90)
    assert ramp.seconds(2475 + 500) == pytest.approx(100)


@pytest.mark.parametrize("limit", [0.001, 1, 5, 6, 1000])
def test_a_limit_is_never_exceeded(limit: float) -> None:
    ramp = Ramp.up_to(limit)
    times = [ramp.seconds(n) for n in range(200)]
    assert all(after - before >= 0.999 / limit for before, after in itertools.pairwise(times))


@given(st.floats(0.01, 1e3), st.floats(0, 1e2), st.floats(0.01, 1e3), st.integers(0, 10**7))
def test_later_messages_are_due_later(
    first: float, growth: float, limit: float, position: int
) -> None:
    ramp = Ramp(first, growth, max(first, limit))
    assert 0 <= ramp.seconds(position) < ramp.seconds(position + 1)
