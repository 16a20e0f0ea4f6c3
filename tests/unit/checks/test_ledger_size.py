"""The ledger's size, as it is worked out."""

from __future__ import annotations

import pytest

from checks.ledger_size import KEY_BYTES, ROW_BYTES, TOMBSTONE_BYTES, LedgerSize, table
from shared.ledger.retention import Retention

DAY = 86_400


def test_what_is_never_pruned_grows_by_every_message() -> None:
    assert LedgerSize(100, with_keys=False).unpruned(365) == 100 * DAY * 365 * ROW_BYTES


@pytest.mark.parametrize(
    ("retention", "rows", "tombstones"),
    [
        (Retention(90, 90, 365), 90, 275),
        (Retention(90, 90, None), 90, 310),
        (Retention(90, 90, 30), 90, 0),
        (Retention(None, None, 365), 400, 0),
        (Retention(1000, None, 365), 400, 0),
    ],
)
def test_what_is_pruned_has_rows_for_a_while_and_tombstones_for_the_rest(
    retention: Retention, rows: int, tombstones: int
) -> None:
    plain = LedgerSize(1, with_keys=False).pruned(retention, 400)
    keyed = LedgerSize(1, with_keys=True).pruned(retention, 400)
    assert plain == DAY * rows * ROW_BYTES
    assert keyed == DAY * (rows * (ROW_BYTES + KEY_BYTES) + tombstones * TOMBSTONE_BYTES)


def test_the_table_has_a_row_for_each_rate_with_keys_and_without() -> None:
    lines = table().splitlines()
    assert len(lines) == 2 + 6
    assert lines[-2].startswith("| 100 | none | 4.8 GB | 1,766 GB | 435 GB |")
