"""How far a job on rejected messages is, on a terminal only."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from local.cli.output import notify
from ops.queue_job import QueueJob
from ops.worklist import Worklist


class Progress:
    """Shows one line, over and over; `verb` is what is done, in the past."""

    def __init__(self, verb: str, worklists: Sequence[Worklist]) -> None:
        self._verb = verb
        self._worklists = worklists
        self._shown = 0

    def show(self, job: QueueJob) -> None:
        """Show what is done of all worklists, and whether the job waits."""
        if not sys.stderr.isatty():
            return
        done = sum(len(one.done) for one in self._worklists)
        line = f"{self._verb} {done} of {sum(one.total for one in self._worklists)}"
        if job.is_held:
            line += f", waiting for {len(job.worklist.wanted)} that another receiver has locked"
        print(f"\r{line.ljust(self._shown)}", end="", file=sys.stderr, flush=True)
        self._shown = len(line)

    def end(self) -> None:
        """Leave the line."""
        if self._shown:
            notify("")
