"""What came of each step: on the screen, and in a file for whoever reads it later."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Literal

from rich import box
from rich.table import Table
from rich.text import Text

State = Literal["passed", "failed", "not run"]
_STYLES: Mapping[State, str] = {"passed": "green", "failed": "bold red", "not run": "yellow"}


@dataclass(frozen=True)
class Outcome:
    """What came of one step. `facts` are numbers worth keeping, such as seconds and counts."""

    step: str
    state: State
    seconds: float = 0.0
    problems: Sequence[str] = ()
    facts: Mapping[str, object] = field(default_factory=dict)


@dataclass
class Results:
    """The outcomes of a run, written to `file` after each step: a run may be killed."""

    file: Path
    run: str
    subscription: str
    location: str
    asked: Sequence[str]
    outcomes: list[Outcome] = field(default_factory=list)
    left: list[str] = field(default_factory=list)

    def add(self, outcome: Outcome) -> None:
        """Keep an outcome."""
        self.outcomes.append(outcome)
        self.write()

    def write(self) -> None:
        """Write all of it, or leave what was written before."""
        listed = {
            "run": self.run,
            "subscription": self.subscription,
            "location": self.location,
            "asked": list(self.asked),
            "passed": self.passed,
            "steps": [asdict(outcome) for outcome in self.outcomes],
            "left": self.left,
        }
        self.file.parent.mkdir(parents=True, exist_ok=True)
        descriptor, temporary = tempfile.mkstemp(dir=self.file.parent, prefix=".results.")
        with os.fdopen(descriptor, "w") as written:
            json.dump(listed, written, indent=2)
            written.write("\n")
        Path(temporary).replace(self.file)

    @property
    def passed(self) -> bool:
        """Whether every step that was asked for has passed: one that was not run has not."""
        passed = {one.step for one in self.outcomes if one.state == "passed"}
        return bool(self.asked) and passed == set(self.asked)


def table(outcomes: Sequence[Outcome]) -> Table:
    """Return the outcomes as a table for the screen."""
    shown = Table("step", "outcome", "minutes", "what was wrong, or measured", box=box.SIMPLE_HEAD)
    for one in outcomes:
        lines = list(one.problems) or [f"{name}: {value}" for name, value in one.facts.items()]
        # Text, not markup: the output of a command may hold square brackets.
        shown.add_row(
            one.step,
            Text(one.state, _STYLES[one.state]),
            f"{one.seconds / 60:.0f}",
            Text("\n".join(lines)),
        )
    return shown
