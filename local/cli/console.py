"""The console that commands print tables to, those of `python -m ops` as well."""

from __future__ import annotations

import sys
from typing import TextIO

from rich.console import Console


class OutputConsole(Console):
    """A console for a terminal, a file, or a program that does not read to the end.

    `width`: the columns where there is no terminal whose width would count.
    """

    def __init__(self, width: int, file: TextIO | None = None) -> None:
        file = file or sys.stdout
        # What is printed came with messages: nothing in it is taken for markup.
        super().__init__(
            file=file,
            width=None if file.isatty() else width,
            highlight=False,
            markup=False,
            emoji=False,
        )

    def on_broken_pipe(self) -> None:
        """Leave it to the command, which ends quietly; the library would end with an error."""
        raise BrokenPipeError
