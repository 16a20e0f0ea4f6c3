"""How many posts an instance makes at once, and how many a second."""

from __future__ import annotations

import math

from hypothesis import given
from hypothesis import strategies as st

from shared.partner.pace import Pace
from tests.unit.shared.partner.manual_clock import ManualClock


def test_no_more_than_so_many_posts_are_under_way() -> None:
    clock = ManualClock()
    pace = Pace(2, 0.0, clock)
    pace.begin()
    assert pace.free_at <= clock.now
    pace.begin()
    assert pace.free_at == math.inf
    pace.end()
    assert pace.free_at <= clock.now


@given(st.sampled_from([0.001, 0.25, 1.0, 7.0, 333.0]), st.lists(st.floats(0, 3), max_size=40))
def test_no_stretch_of_time_has_more_posts_than_its_rate(rate: float, pauses: list[float]) -> None:
    clock = ManualClock()
    pace = Pace(1000, rate, clock)
    begun: list[float] = []
    for pause in pauses:
        clock.now = max(clock.now + pause / rate, pace.free_at)
        begun.append(clock.now)
        pace.begin()
    for first, start in enumerate(begun):
        for last in range(first + 1, len(begun)):
            assert last - first <= (begun[last] - start) * rate * (1 + 1e-6) + 1e-6
