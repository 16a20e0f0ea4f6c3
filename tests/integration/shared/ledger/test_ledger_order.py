"""Updates in any order, and any number of times, end in the same row."""

from __future__ import annotations

import uuid
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from shared.ledger.entry import LedgerEntry, NewMessage
from shared.ledger.ledger import Ledger
from shared.message.receipt import Receipt
from shared.message.state import State

NOW = datetime(2026, 3, 1, 12, 0, 0, tzinfo=UTC)
ACCEPT, QUEUED = "accept", "queued"
Step = str | Receipt
RECORDED = (State.RETRYING, State.REJECTED, State.DROPPED, State.DELIVERED)


def at(seconds: int) -> datetime:
    return NOW + timedelta(seconds=seconds)


def receipt(state: State, seconds: int, attempts: int, replay: int) -> Receipt:
    detail = f"{state} {seconds} {attempts} {replay}"
    return Receipt("", state, at(seconds), attempts, replay, detail, "v1", "text/plain", 3)


receipts = st.builds(
    receipt,
    st.sampled_from(RECORDED),
    st.integers(2, 5),
    st.integers(0, 2),
    st.sampled_from([0, 7, 2**62]),
)


@st.composite
def orders(draw: st.DrawFn) -> tuple[list[Step], list[Step]]:
    """Updates of a message, and the same in another order with repeats."""
    updates: list[Step] = [ACCEPT, QUEUED, *draw(st.lists(receipts, max_size=5))]
    repeats = draw(st.lists(st.sampled_from(updates), max_size=3))
    return updates, draw(st.permutations([*updates, *repeats]))


async def write(ledger: Ledger, id_: str, step: Step) -> None:
    if step == ACCEPT:
        await ledger.accept(NewMessage(id_, "text/plain", 3, NOW, b"print"))
    elif isinstance(step, Receipt):
        await ledger.record([replace(step, message_id=id_)])
    else:
        await ledger.queued(id_, "v1", at(1))


async def entry(ledger: Ledger, id_: str) -> LedgerEntry:
    found = await ledger.entry(id_)
    assert found is not None
    # Only when the ledger first saw it may differ: lists are ordered by that.
    return replace(found, id="", first_seen_at=NOW)


@settings(
    max_examples=60,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
@given(orders=orders())
async def test_any_order_with_repeats_ends_in_the_same_row(
    ledger: Ledger, orders: tuple[list[Step], list[Step]]
) -> None:
    straight, tangled = uuid.uuid4().hex, uuid.uuid4().hex
    for id_, steps in ((straight, orders[0]), (tangled, orders[1])):
        for step in steps:
            await write(ledger, id_, step)
    found = await entry(ledger, straight)
    assert await entry(ledger, tangled) == found
    last = [step for step in orders[0] if isinstance(step, Receipt)]
    if not last:
        assert found.state == State.QUEUED
    elif any(step.state == State.DELIVERED for step in last):
        assert found.state == State.DELIVERED
    else:
        furthest = max(last, key=lambda r: (r.replay, [*State].index(r.state), r.attempts, r.at))
        assert (found.state, found.detail) == (furthest.state, furthest.detail)


@pytest.mark.parametrize(
    ("before", "late"),
    [
        (receipt(State.DELIVERED, 3, 0, 0), receipt(State.RETRYING, 4, 2, 0)),
        (receipt(State.DELIVERED, 3, 0, 0), receipt(State.REJECTED, 4, 2, 9)),
        (receipt(State.DELIVERED, 3, 0, 0), receipt(State.DELIVERED, 4, 1, 0)),
        (receipt(State.REJECTED, 3, 2, 0), receipt(State.RETRYING, 4, 1, 0)),
        (receipt(State.RETRYING, 3, 2, 0), receipt(State.RETRYING, 4, 1, 0)),
        (receipt(State.RETRYING, 3, 0, 9), receipt(State.REJECTED, 4, 2, 0)),
        (receipt(State.RETRYING, 3, 0, 9), receipt(State.DROPPED, 4, 2, 0)),
        (receipt(State.DROPPED, 3, 2, 0), receipt(State.REJECTED, 4, 9, 0)),
        (receipt(State.DELIVERED, 3, 0, 0), receipt(State.DROPPED, 4, 2, 9)),
        (receipt(State.RETRYING, 3, 0, 0), QUEUED),
        (receipt(State.RETRYING, 3, 0, 0), ACCEPT),
    ],
)
async def test_a_late_update_never_moves_a_message_backwards(
    ledger: Ledger, before: Receipt, late: Step
) -> None:
    await write(ledger, "a", before)
    await write(ledger, "a", late)
    found = await entry(ledger, "a")
    assert (found.state, found.detail, found.attempts) == (
        *(before.state, before.detail),
        before.attempts,
    )
    # But when it happened is kept, since it did.
    if late == QUEUED:
        assert found.queued_at == at(1)
    elif late == ACCEPT:
        assert found.accepted_at == NOW
    elif isinstance(late, Receipt) and late.state != before.state:
        assert getattr(found, f"{late.state}_at") == at(4)


async def test_a_replay_begins_a_new_way(ledger: Ledger) -> None:
    for step, state in (
        (receipt(State.REJECTED, 2, 9, 0), State.REJECTED),
        (receipt(State.RETRYING, 3, 0, 17), State.RETRYING),
        (receipt(State.REJECTED, 4, 9, 17), State.REJECTED),
        (receipt(State.DELIVERED, 5, 0, 40), State.DELIVERED),
    ):
        await write(ledger, "a", step)
        assert (await entry(ledger, "a")).state == state
    found = await entry(ledger, "a")
    assert (found.retrying_at, found.rejected_at, found.delivered_at) == (at(3), at(4), at(5))


# Who may cause an update, and what it changes of which row. Proven are the receipts of messages
# that opened under their id; others may be caused by anybody with a right to send to `messages`.
PROVEN = {"state", "detail", "attempts", "key_version", "content_type", "size"}
CHANGES = [
    (None, State.REJECTED, False, {*PROVEN, "rejected_at"}),
    (None, State.RETRYING, False, {*PROVEN, "retrying_at"}),
    (QUEUED, State.REJECTED, False, {"state", "detail", "attempts", "rejected_at"}),
    (QUEUED, State.RETRYING, False, {"state", "detail", "attempts", "retrying_at"}),
    (State.DELIVERED, State.REJECTED, False, set()),
    (State.DELIVERED, State.RETRYING, False, set()),
    (State.DELIVERED, State.REJECTED, True, {"rejected_at"}),
    (State.DELIVERED, State.RETRYING, True, {"retrying_at"}),
    (State.REJECTED, State.DROPPED, False, {"state", "detail", "attempts", "dropped_at"}),
    (State.DELIVERED, State.DROPPED, False, set()),
    (State.REJECTED, State.DELIVERED, True, {"state", "detail", "attempts", "delivered_at"}),
    (State.DELIVERED, State.DELIVERED, True, set()),
]


@pytest.mark.parametrize(("before", "state", "is_proven", "changed"), CHANGES)
async def test_a_receipt_changes_what_it_can_prove_and_no_more(
    ledger: Ledger, before: State | str | None, state: State, is_proven: bool, changed: set[str]
) -> None:
    if before:
        await write(ledger, "a", ACCEPT)
        await write(ledger, "a", QUEUED)
        if isinstance(before, State):
            await write(ledger, "a", receipt(before, 3, 1, 0))
    was = await ledger.entry("a")
    await write(ledger, "a", replace(receipt(state, 4, 2, 7), is_proven=is_proven))
    entry = await ledger.entry("a")
    assert entry
    names = set(LedgerEntry.__dataclass_fields__) - {"id", "first_seen_at"}
    now = {name for name in names if getattr(entry, name) != getattr(was, name, None)}
    assert now == changed
    if was:
        assert entry.position == was.position
