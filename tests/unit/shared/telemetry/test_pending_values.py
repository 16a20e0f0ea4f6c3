from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from shared.telemetry.pending_values import PendingValues
from shared.telemetry.recording import Attributes


class Sums:
    """What was summed up, in its order."""

    def __init__(self) -> None:
        self.values: list[float] = []
        self.pending = PendingValues(self.add)

    def add(self, value: float, _: Attributes) -> None:
        self.values.append(value)


def test_values_are_summed_up_in_their_order_when_somebody_asks() -> None:
    sums = Sums()
    for value in range(5):
        sums.pending.add(value, {})
    assert not sums.values
    with sums.pending.summed_up():
        assert sums.values == [0, 1, 2, 3, 4]


def test_nobody_has_to_ask_for_what_waits_to_be_bounded() -> None:
    sums = Sums()
    for value in range(10_000):
        sums.pending.add(value, {})
    assert len(sums.values) > 9_000


def test_each_value_of_threads_at_once_is_summed_up_once() -> None:
    sums = Sums()
    with ThreadPoolExecutor(4) as threads:
        list(threads.map(lambda value: sums.pending.add(value, {}), range(20_000)))
    with sums.pending.summed_up():
        assert sorted(sums.values) == list(range(20_000))


def test_the_sums_stay_as_they_are_while_they_are_read() -> None:
    sums = Sums()

    def add() -> None:
        for value in range(2000):
            sums.pending.add(value, {})

    with ThreadPoolExecutor(1) as threads:
        with sums.pending.summed_up():
            adding = threads.submit(add)
            with pytest.raises(TimeoutError):  # it waits, once so many are pending
                adding.result(0.1)
            assert not sums.values
        adding.result()
    assert len(sums.values) > 1_000
