"""A priority queue whose keys can be removed: what is due first, by time or by number."""

from __future__ import annotations

import heapq


class IndexedHeap:
    """Keys (sequence numbers), each with the number it is ordered by; any of them can be removed.

    Removing one leaves a stale item in the heap, dropped when it comes up; when stale items
    outnumber live ones the heap is rebuilt, so that its size follows the number of live keys.
    """

    def __init__(self) -> None:
        self._at: dict[int, float] = {}
        self._heap: list[tuple[float, int]] = []

    def __len__(self) -> int:
        return len(self._at)

    def set(self, key: int, at: float) -> None:
        """Add a key, or change its number."""
        if self._at.get(key) == at:
            return
        self._at[key] = at
        heapq.heappush(self._heap, (at, key))
        if len(self._heap) > 2 * len(self._at) + 64:
            self._heap = [(number, live) for live, number in self._at.items()]
            heapq.heapify(self._heap)

    def discard(self, key: int) -> None:
        """Remove a key, if it is there."""
        self._at.pop(key, None)

    def first(self) -> tuple[float, int] | None:
        """Return the lowest number and its key."""
        heap = self._heap
        while heap and self._at.get(heap[0][1]) != heap[0][0]:
            heapq.heappop(heap)
        return heap[0] if heap else None

    def due(self, now: float) -> int | None:
        """Return the first key whose number is not above `now`."""
        first = self.first()
        return first[1] if first is not None and first[0] <= now else None
