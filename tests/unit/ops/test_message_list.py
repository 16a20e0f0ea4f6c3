from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime

import pytest

from ops.message_list import MessageList

NOW = datetime(2026, 11, 26, tzinfo=UTC)


def show_table(found: Sequence[int], now: datetime) -> None:
    print("table", *found, now.year)


LIST = MessageList[int](
    listed=lambda number, now: {"number": number, "year": now.year},
    show_table=show_table,
    nothing="no numbers",
    further=lambda last: f"--after {last} shows more",
)


@pytest.mark.parametrize(
    ("found", "shown", "noted"),
    [
        ([], "no numbers\n", ""),
        ([1, 2], "table 1 2 2026\n", ""),
        ([1, 2, 3], "table 1 2 2026\n", "these are the first 2; --after 2 shows more\n"),
    ],
)
def test_a_list_says_where_it_goes_on(
    capsys: pytest.CaptureFixture[str], found: list[int], shown: str, noted: str
) -> None:
    LIST.show(found, 2, NOW, as_json=False)
    assert capsys.readouterr() == (shown, noted)


@pytest.mark.parametrize(("found", "more"), [([], False), ([1, 2], False), ([1, 2, 3], True)])
def test_for_scripts_it_is_one_document_and_nothing_beside_it(
    capsys: pytest.CaptureFixture[str], found: list[int], more: bool
) -> None:
    LIST.show(found, 2, NOW, as_json=True)
    output, noted = capsys.readouterr()
    listed = [{"number": number, "year": 2026} for number in found[:2]]
    assert json.loads(output) == {"messages": listed, "more": more}
    assert noted == ""
