from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from shared.concurrency.expiring import ExpiringEntries


@given(st.lists(st.tuples(st.sampled_from("pgw"), st.integers(0, 5)), max_size=40))
def test_it_keeps_what_was_used_last_within_its_time_and_bounds(
    steps: list[tuple[str, int]],
) -> None:
    now = [0.0]
    entries: ExpiringEntries[int, int] = ExpiringEntries(3, 4, lambda: now[0])
    put: dict[int, float] = {}
    used: list[int] = []
    for step, number in steps:
        if step == "w":
            now[0] += number
            continue
        known = {key for key in used if now[0] < put[key] + 4}
        if step == "p":
            entries.put(number, -number)
            put[number] = now[0]
            used = [*[key for key in used if key in known and key != number][-2:], number]
        else:
            assert entries.get(number) == (-number if number in known else None)
            if number in known:
                used = [*(key for key in used if key != number), number]
        assert len(entries) <= 3
