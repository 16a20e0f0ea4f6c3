from __future__ import annotations

import pytest

from bench.processes import machine_seconds, own_seconds


@pytest.mark.skipif(not machine_seconds(), reason="this system does not count it")
def test_what_this_process_uses_is_part_of_what_the_machine_uses() -> None:
    before = machine_seconds(), own_seconds()
    while own_seconds() - before[1] < 0.2:
        pass
    # The kernel counts both by its own ticks of 10 ms.
    assert machine_seconds() - before[0] > 0.1
