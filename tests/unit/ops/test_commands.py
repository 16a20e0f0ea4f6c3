from __future__ import annotations

from datetime import UTC, datetime

import pytest

from ops.commands import Selection
from ops.rejected import Rejected

NOW = datetime(2026, 11, 23, tzinfo=UTC)
THERE = [
    Rejected(number, name, name, reason, "", 0, NOW, 1, set_aside=False, dead_lettered=dead)
    for number, name, reason, dead in [
        (1, "a", "partner-refused", False),
        (2, "b", "retries-exhausted", False),
        (3, "c", "partner-refused", True),
    ]
]


@pytest.mark.parametrize(
    ("selection", "names", "missing"),
    [
        (Selection([], None), ["a", "b", "c"], []),
        (Selection([], "partner-refused"), ["a", "c"], []),
        (Selection([], "unheard-of"), [], []),
        (Selection(["b", "dead#3", "d"], None), ["b", "c"], ["d"]),
    ],
)
def test_a_selection_is_by_name_or_by_reason(
    selection: Selection, names: list[str], missing: list[str]
) -> None:
    found, led_to_none = selection.among(THERE)
    assert [one.id for one in found] == names
    assert led_to_none == missing
