"""Tables on a terminal, and in whatever a command's output is sent to."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

from local.cli.console import OutputConsole

_WIDTH = 100  # columns where there is no terminal whose width would count


def table(
    headings: Sequence[str], rows: Iterable[Sequence[str]], *, numbers: bool = False
) -> Table:
    """Make a table of texts; with `numbers`, all columns but the first are of numbers."""
    made = Table(box=None, pad_edge=False, padding=(0, 1), header_style="bold")
    for position, heading in enumerate(headings):
        made.add_column(heading, justify="right" if numbers and position else "left")
    for row in rows:
        # As text, so that nothing in a cell counts as markup.
        made.add_row(*map(Text, row))
    return made


def show(made: Table) -> None:
    """Print a table; a terminal that is too narrow gets its cells in several lines."""
    OutputConsole(_WIDTH).print(made)


def lines_of(made: Table) -> list[str]:
    """Return the lines of a table without colours."""
    console = Console(width=_WIDTH, color_system=None)
    with console.capture() as captured:
        console.print(made)
    return [line.rstrip() for line in captured.get().splitlines()]
