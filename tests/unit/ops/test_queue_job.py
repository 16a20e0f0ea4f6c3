from __future__ import annotations

from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from ops.queue_job import chunks
from ops.rejected import Rejected

NOW = datetime(2026, 11, 23, tzinfo=UTC)


def messages(sizes: list[int]) -> list[Rejected]:
    return [
        Rejected(number, None, "", "", "", 0, NOW, size, set_aside=True)
        for number, size in enumerate(sizes)
    ]


@given(st.lists(st.integers(0, 300_000), max_size=200))
def test_portions_are_all_of_it_in_order_and_bounded(sizes: list[int]) -> None:
    given_messages = messages(sizes)
    cut = list(chunks(given_messages))
    assert [message for portion in cut for message in portion] == given_messages
    for portion in cut:
        octets = sum(message.size for message in portion)
        assert len(portion) == 1 or (len(portion) <= 50 and octets <= 256 * 1024)
