"""The commands of the local cloud, run in this process: one of its own takes a second to start.

That `python -m local` runs them is shown where they are tested, in tests/integration/local/cli.
"""

from __future__ import annotations

import contextlib
import io
import sys
from dataclasses import dataclass
from unittest import mock

from local.cli.main import main


@dataclass(frozen=True)
class Ended:
    """What a process would have left, in the words of subprocess."""

    returncode: int
    stdout: str
    stderr: str


def local(*arguments: str, stdin: str = "") -> Ended:
    """Run a command to its end; not one that starts a cloud, and not two at once."""
    out, err = io.StringIO(), io.StringIO()
    given = io.TextIOWrapper(io.BytesIO(stdin.encode()))
    with (
        mock.patch.object(sys, "stdin", given),
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(err),
    ):
        try:
            code = main(arguments)
        except SystemExit as ended:  # argparse's, about what it does not understand
            code = int(ended.code or 0)
    return Ended(code, out.getvalue(), err.getvalue())
