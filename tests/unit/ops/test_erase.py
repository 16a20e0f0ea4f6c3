"""Which messages can be erased, and what is reported, without a bus or a database."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ops.erase import Kept, Outcome
from shared.ledger.entry import NewMessage
from shared.ledger.retention import OPEN, Erasure
from shared.message.state import State
from tests.unit.ops.test_drop import MESSAGE
from tests.unit.shared.ledger.entries import NOW, entry_of

ENTRY = entry_of(NewMessage("a", "text/plain", 3, NOW), State.DELIVERED)


@pytest.mark.parametrize("state", OPEN)
@pytest.mark.parametrize("waiting", [0, 1])
def test_what_is_on_its_way_stays_and_says_what_to_do(state: State, waiting: int) -> None:
    why = Kept("a", replace(ENTRY, state=state), [MESSAGE], waiting).refusal() or ""
    assert f"{state} since 2026-01-01T00:00:00+00:00" in why
    assert "once it is delivered or rejected" in why
    assert ("`retry a`" in why) == bool(waiting)


@pytest.mark.parametrize("state", [state for state in State if state not in OPEN])
def test_what_has_come_to_its_end_goes_unless_a_copy_waits(state: State) -> None:
    assert Kept("a", replace(ENTRY, state=state)).refusal() is None
    why = Kept("a", replace(ENTRY, state=state), waiting=1).refusal() or ""
    assert "`retry a`" in why


def test_what_nobody_knows_is_not_erased() -> None:
    assert Kept("a", None).refusal() == "nothing is kept of it"
    assert Kept("a", None, [MESSAGE]).refusal() is None


def test_what_was_and_was_not_erased_is_reported(capsys: pytest.CaptureFixture[str]) -> None:
    outcome = Outcome({"a": (Erasure.TOMBSTONE, 1), "b": (Erasure.REMOVED, 0)}, {"c": "why"})
    assert outcome.as_dict() == {
        "erased": [
            {"id": "a", "ledger": "tombstone", "rejected": 1},
            {"id": "b", "ledger": "removed", "rejected": 0},
        ],
        "not_erased": [{"id": "c", "why": "why"}],
    }
    outcome.show()
    shown = capsys.readouterr()
    assert "erased a: 1 rejected message; its row in the ledger, but for id" in shown.out
    assert "not erased: c: why" in shown.err
    assert "backups" in shown.err
