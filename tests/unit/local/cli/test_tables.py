from __future__ import annotations

from local.cli.tables import lines_of, table


def test_columns_are_aligned_and_numbers_to_the_right() -> None:
    made = table(("queue", "active"), [("a", "1"), ("longer", "1,000")], numbers=True)
    assert lines_of(made) == ["queue   active", "a            1", "longer   1,000"]


def test_what_is_in_a_cell_is_not_markup() -> None:
    assert lines_of(table(("x",), [("[red]a[/red] :smile:",)]))[1] == "[red]a[/red] :smile:"
