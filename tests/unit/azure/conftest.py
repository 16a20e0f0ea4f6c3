"""A subscription that does not exist: fake programs, and a clock that does not wait."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tests.azure import cli
from tests.azure.edges import Edges
from tests.azure.programs import MissingProgramError
from tests.azure.verdicts import Answers
from tests.unit.azure import fake_programs

SUBSCRIPTION = "11111111-2222-3333-4444-555555555555"
ACCOUNT = {
    "id": SUBSCRIPTION,
    "name": "Try outs",
    "state": "Enabled",
    "user": {"name": "somebody@example.com"},
}
USUAL = ("--location", "swedencentral", "--address", "20.1.2.3/32")
SURE = ("--subscription", SUBSCRIPTION, "--yes")


@dataclass
class World:
    """The fake programs, and what is sent and arrives."""

    folder: Path
    results: Path
    seconds: float = 0.0
    sent: list[str] = field(default_factory=list)
    at_partner: dict[str, int] = field(default_factory=dict)
    missing: set[str] = field(default_factory=set)

    def calls(self) -> list[str]:
        """Return the commands that were run, in their order."""
        file = self.folder / "calls"
        return file.read_text().splitlines() if file.exists() else []

    def state(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads((self.folder / "state.json").read_text())
        return found

    def change(self, **changes: object) -> None:
        named = {name.replace("_", " "): value for name, value in changes.items()}
        (self.folder / "state.json").write_text(json.dumps({**self.state(), **named}))

    def edges(self) -> Edges:
        return Edges(
            lambda _, __: self,
            lambda _, __: self,
            lambda: self.seconds,
            self._sleep,
            self._execute,
        )

    def send(self, count: int, at_once: int = 16) -> Answers:
        ids = [f"m{len(self.sent) + number}" for number in range(count)]
        self.sent += ids
        return Answers({202: count}, ids)

    def load(self, callers: int, seconds: float) -> Answers:
        self._sleep(seconds)
        return self.send(callers)

    def arrived(self) -> Mapping[str, int]:
        if self.state()["partner"] == "Active":
            self.at_partner = dict.fromkeys(self.sent, 1)
        return self.at_partner

    def run(self, *arguments: str) -> int:
        return cli.main([*USUAL, *SURE, *arguments], self.edges())

    def written(self) -> dict[str, Any]:
        """Return the results file of the only run."""
        (file,) = self.results.glob("*.json")
        found: dict[str, Any] = json.loads(file.read_text())
        return found

    def _execute(
        self, command: Sequence[str], *, given: str, **_: object
    ) -> subprocess.CompletedProcess[str]:
        if command[0] in self.missing:
            raise MissingProgramError(f"{command[0]} is not installed")
        return fake_programs.run(self.folder, command, given)

    def _sleep(self, seconds: float) -> None:
        self.seconds += seconds


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    """Give fake programs that have run nothing yet."""
    folder = tmp_path / "programs"
    folder.mkdir()
    state = {
        "account": ACCOUNT,
        "signed in": "success",
        "groups": [],
        "deleted": False,
        "partner": "Active",
        "version": "v",
        "running": [],
        "feature": "Registered",
        "failing": [],
        "told": [],
        "proof": {"proven": True, "silent": {}, "differences": []},
    }
    (folder / "state.json").write_text(json.dumps(state))
    monkeypatch.setattr(sys, "executable", str(folder / "python"))
    monkeypatch.setattr(cli, "_RESULTS", tmp_path / "results")
    monkeypatch.setattr(cli, "copy_project", lambda _: None)  # hundreds of files, for each test
    return World(folder, tmp_path / "results")
