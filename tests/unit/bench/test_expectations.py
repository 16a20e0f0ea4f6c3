from __future__ import annotations

from bench import expectations
from bench.expectations import EXPECTED


def test_each_group_of_rows_is_part_of_the_table() -> None:
    groups = [value for name, value in vars(expectations).items() if name.isupper()]
    assert len({id(group) for group in groups}) == len(groups)
    for group in groups:
        assert group.items() <= EXPECTED.items()


def test_no_two_rows_have_one_name() -> None:
    names = [row.name for row in EXPECTED.values()]
    assert len(set(names)) == len(names)
