from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from local.bus.broker.indexed_heap import IndexedHeap


@given(st.lists(st.tuples(st.integers(0, 9), st.one_of(st.none(), st.integers(0, 9)))))
def test_the_first_is_always_the_lowest(steps: list[tuple[int, int | None]]) -> None:
    heap, model = IndexedHeap(), dict[int, int]()
    for key, at in steps:
        if at is None:
            heap.discard(key)
            model.pop(key, None)
        else:
            heap.set(key, at)
            model[key] = at
        first = heap.first()
        assert first == min(((number, k) for k, number in model.items()), default=None)
        assert len(heap) == len(model)


def test_it_does_not_grow_with_what_was_removed() -> None:
    heap = IndexedHeap()
    for key in range(10_000):
        heap.set(key, key)
        heap.discard(key)
    assert len(heap._heap) < 100
