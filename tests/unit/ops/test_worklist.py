"""What becomes of each message that a job receives, without a bus."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ops.rejected import Rejected
from ops.worklist import MAX_BATCH, Settlement, Worklist, chunks

NOW = datetime(2026, 11, 23, tzinfo=UTC)


def message(number: int, size: int = 10, *, set_aside: bool = False) -> Rejected:
    return Rejected(number, None, "", "", "", 0, NOW, size, set_aside=set_aside)


THERE = [message(number) for number in range(1, 11)]


def worklist(*numbers: int) -> Worklist:
    return Worklist.of([message(number) for number in numbers], THERE)


def test_the_backlog_ends_at_the_last_wanted_message() -> None:
    assert worklist(2, 5).backlog == 5
    assert worklist().backlog == 0


@pytest.mark.parametrize(
    ("number", "is_done", "expected"),
    [
        (2, True, Settlement.COMPLETE),
        (2, False, Settlement.DEFER),  # wanted, and the action failed
        (3, False, Settlement.DEFER),  # in the way to number 5
        (5, False, Settlement.DEFER),
        (6, False, Settlement.ABANDON),  # nothing wanted comes after it
        (6, True, Settlement.COMPLETE),  # done by now, whoever wanted it
    ],
)
def test_each_message_is_settled_by_what_it_is_to_the_job(
    number: int, is_done: bool, expected: Settlement
) -> None:
    assert worklist(2, 5).settlement(number, is_done=is_done) is expected


def test_what_was_in_the_way_stays_so_when_the_last_message_is_done() -> None:
    jobs = worklist(2, 5)
    jobs.settled(5)
    assert jobs.settlement(4, is_done=False) is Settlement.DEFER


def test_each_message_ends_up_in_one_list() -> None:
    jobs = worklist(1, 2, 3, 4)
    jobs.settled(1)
    jobs.settled(2, "too large")
    jobs.settled(9, "never wanted")
    jobs.settled(1, "settled before")
    jobs.refresh({4: message(4, set_aside=True), 7: message(7)})
    assert [one.sequence_number for one in jobs.done] == [1]
    assert [(one.sequence_number, why) for one, why in jobs.failed] == [(2, "too large")]
    assert [one.sequence_number for one in jobs.vanished] == [3]
    assert list(jobs.wanted) == [4]
    assert jobs.total == 4
    assert jobs.backlog == 1


def test_a_message_that_another_operator_deferred_is_received_by_its_number_then() -> None:
    jobs = worklist(4)
    assert (jobs.receives_in_turn, list(jobs.shares())) == (True, [[]])
    deferred = message(4, set_aside=True)
    jobs.refresh({4: deferred})
    assert (jobs.receives_in_turn, list(jobs.shares())) == (False, [[deferred]])


@pytest.mark.parametrize(
    ("batch", "more"), [([1, 2], True), ([5], True), ([5, 6], True), ([6, 7], False), ([], False)]
)
def test_receiving_goes_on_until_nothing_wanted_can_come(batch: list[int], more: bool) -> None:
    assert worklist(2, 5).has_more_after(batch) is more


@given(st.lists(st.booleans(), max_size=300))
def test_deferred_messages_are_dealt_out_once_to_at_most_four(aside: list[bool]) -> None:
    there = [message(n + 1, set_aside=one) for n, one in enumerate(aside)]
    shares = list(Worklist.of(there, there).shares())
    dealt = [one.sequence_number for share in shares for one in share]
    assert sorted(dealt) == [one.sequence_number for one in there if one.set_aside]
    assert len(shares) == min(4, -(-len(there) // MAX_BATCH))


@given(st.lists(st.integers(0, 300_000), max_size=200))
def test_chunks_are_all_of_it_in_order_and_bounded(sizes: list[int]) -> None:
    messages = [replace(message(number), size=size) for number, size in enumerate(sizes)]
    cut = list(chunks(messages))
    assert [one for chunk in cut for one in chunk] == messages
    for chunk in cut:
        size = sum(one.size for one in chunk)
        assert len(chunk) == 1 or (len(chunk) <= MAX_BATCH and size <= 256 * 1024)
