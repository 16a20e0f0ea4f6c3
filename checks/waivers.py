"""What other tools find fault with and we do not, each with its reason: `waivers.json`."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Literal

FILE = Path(__file__).with_name("waivers.json")
_KEYS = ({"check", "where", "reason"}, {"check", "where", "deployments", "reason"})

Tool = Literal["checkov", "functions"]


class WaiverError(Exception):
    """The list of accepted findings is malformed."""


@dataclass(frozen=True, order=True)
class Finding:
    """A fault that a tool finds: by which check, at what, in which deployment."""

    check: str
    where: str
    deployment: str
    text: str

    def __str__(self) -> str:
        return f"{self.deployment}: {self.where}: {self.check}: {self.text}"


@dataclass(frozen=True)
class Waiver:
    """Accepted findings of one check; `where` and each of `deployments` are patterns with `*`."""

    check: str
    where: str
    deployments: tuple[str, ...]
    reason: str

    def covers(self, finding: Finding) -> bool:
        """Return whether it speaks of a finding."""
        return (
            self.check == finding.check
            and fnmatchcase(finding.where, self.where)
            and any(fnmatchcase(finding.deployment, pattern) for pattern in self.deployments)
        )

    def __str__(self) -> str:
        return f"{self.check} at {self.where} in {', '.join(self.deployments)}"


def load(tool: Tool, file: Path = FILE) -> list[Waiver]:
    """Read what is accepted of a tool's findings. Raises `WaiverError`."""
    waivers = []
    for entry in json.loads(file.read_text(encoding="utf-8"))[tool]:
        if set(entry) not in _KEYS or not all(entry.values()):
            raise WaiverError(f"{file.name}: {entry}: needs check, where and a reason")
        deployments = tuple(entry.get("deployments", ["*"]))
        waivers.append(Waiver(entry["check"], entry["where"], deployments, entry["reason"]))
    return waivers


def compare(findings: Iterable[Finding], waivers: Iterable[Waiver]) -> list[str]:
    """Return which findings are not accepted, and which entries of the list nothing is found for.

    An entry that is not needed any more fails as well, or it would hide the next such fault.
    """
    there, listed = sorted(set(findings)), list(waivers)
    open_ = [f"{f}" for f in there if not any(entry.covers(f) for entry in listed)]
    stale = [
        f"{FILE.name}: {entry}: is not found any more, take it out"
        for entry in listed
        if not any(entry.covers(f) for f in there)
    ]
    return open_ + stale


def report(tool: str, problems: Iterable[str], summary: str) -> int:
    """Report the result of a tool's run; return 1 if there is a problem."""
    lines = [f"{tool}: {problem}\n" for problem in problems]
    if lines:
        sys.stderr.write("".join(lines))
        return 1
    print(f"{tool}: {summary}")
    return 0
