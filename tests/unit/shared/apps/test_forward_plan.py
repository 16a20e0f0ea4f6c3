"""Which waiting messages are brought forward, and to when."""

from __future__ import annotations

from datetime import datetime, timedelta

from shared.apps.forward_plan import ForwardPlan
from shared.message.ramp import Ramp
from shared.message.waiting import WaitingMessage
from tests.unit.shared.message.peeked import NOW, peeked


def waiting(number: int, seconds: float = 3600, bus_id: str | None = None) -> WaitingMessage:
    found = WaitingMessage.from_peeked(peeked(number, bus_id, due=NOW + timedelta(seconds=seconds)))
    assert found
    return found


def at(seconds: float) -> datetime:
    return NOW + timedelta(seconds=seconds)


def plan(rate: float = 1.0) -> ForwardPlan:
    return ForwardPlan(NOW, Ramp.constant(rate))


def test_each_gets_its_time_at_the_pace() -> None:
    moves = plan(2).moves([waiting(1), waiting(2), waiting(3)], NOW)
    assert [move.due for move in moves] == [at(0), at(0.5), at(1)]


def test_the_pace_goes_on_from_page_to_page() -> None:
    made = plan()
    assert [move.due for move in made.moves([waiting(1)], NOW)] == [at(0)]
    assert [move.due for move in made.moves([waiting(2)], NOW)] == [at(1)]


def test_what_comes_as_soon_by_itself_keeps_its_time_and_its_place() -> None:
    page = [waiting(1, 4), waiting(2, 5.9), waiting(3, 7.1)]
    assert [(m.message.sequence_number, m.due) for m in plan().moves(page, NOW)] == [(3, at(2))]


def test_no_time_is_in_the_past() -> None:
    (move,) = plan().moves([waiting(1)], at(60))
    assert move.due == at(60)


def test_a_second_plan_finds_nothing_left_to_do() -> None:
    page = [waiting(n) for n in range(1, 20)]
    moved = [
        waiting(100 + n, (move.due - NOW).total_seconds(), f"id-{n}.2")
        for n, move in enumerate(plan().moves(page, NOW))
    ]
    assert plan().moves(moved, at(3)) == []


def test_its_own_copies_are_not_moved_again() -> None:
    made = plan()
    (move,) = made.moves([waiting(1)], NOW)
    copy = waiting(2, 3600, str(move.message.brought_forward(move.due).message_id))
    assert made.is_own(copy)
    assert made.moves([copy, waiting(3)], NOW)[0].message.sequence_number == 3


def test_only_what_is_wanted_is_moved() -> None:
    made = ForwardPlan(NOW, Ramp.constant(1), lambda message: message.id.id == "id-2")
    moves = made.moves([waiting(1), waiting(2)], NOW)
    assert [(move.message.id.id, move.due) for move in moves] == [("id-2", at(0))]
