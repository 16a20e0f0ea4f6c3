"""The console that commands print tables to."""

from __future__ import annotations

from rich.console import Console


class OutputConsole(Console):
    """A console whose output may be sent to a program that does not read it to its end."""

    def on_broken_pipe(self) -> None:
        """Leave it to the command, which ends quietly; the library would end with an error."""
        raise BrokenPipeError
