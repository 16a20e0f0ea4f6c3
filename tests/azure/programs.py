"""Running `az`, `azd` and this project's own commands, without ever showing a secret."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from tests.azure.redaction import Redactor

_MINUTE = 60.0
_LINES = 12  # of the output of a failed command: the reason is at its end


class CommandFailedError(Exception):
    """A command failed. The text names it and ends with its output, without secrets."""


class MissingProgramError(Exception):
    """A program that is needed is not installed."""


class Execute(Protocol):
    """Runs a program to its end. Raises `MissingProgramError` and `subprocess.TimeoutExpired`."""

    def __call__(
        self,
        command: Sequence[str],
        *,
        folder: Path,
        environ: Mapping[str, str],
        given: str,
        seconds: float,
        shielded: bool,
    ) -> subprocess.CompletedProcess[str]:
        """`environ` is added to the environment, `given` is the standard input."""


def execute(
    command: Sequence[str],
    *,
    folder: Path,
    environ: Mapping[str, str],
    given: str,
    seconds: float,
    shielded: bool,
) -> subprocess.CompletedProcess[str]:
    """Run a program of the PATH as a process of its own."""
    found = shutil.which(command[0])
    if found is None:
        raise MissingProgramError(f"{command[0]} is not installed")
    return subprocess.run(
        [found, *command[1:]],
        cwd=folder,
        env={**os.environ, **environ},
        # No program waits for an answer that nobody gives.
        input=given,
        capture_output=True,
        text=True,
        timeout=seconds,
        start_new_session=shielded,
        check=False,
    )


@dataclass
class Programs:
    """Runs programs in `folder`, a copy of the project.

    Their output is captured, never shown: that of some commands is a key.
    """

    folder: Path
    execute: Execute = execute
    redactor: Redactor = field(default_factory=Redactor)
    # Once it is confirmed, every command of az names it.
    subscription: str | None = None
    # During the clean-up a Ctrl-C must not reach what takes everything down.
    shielded: bool = False

    def az(self, *arguments: str, minutes: float = 10) -> object:
        """Run `az` and return its JSON output, None where there is none."""
        # An expired extension or an announcement would otherwise be in the output.
        command = ["az", *arguments, "--only-show-errors", "--output", "json"]
        if self.subscription:
            command += ["--subscription", self.subscription]
        return _parsed(command, self._run(command, minutes=minutes))

    def azd(self, *arguments: str, minutes: float = 10) -> str:
        """Run `azd`, which asks nothing, and return its output."""
        return self._run(["azd", *arguments, "--no-prompt"], minutes=minutes)

    def azd_json(self, *arguments: str) -> object:
        """Run `azd` and return its JSON output."""
        command = ["azd", *arguments, "--output", "json", "--no-prompt"]
        return _parsed(command, self._run(command, minutes=5))

    def ops(
        self,
        *arguments: str,
        environ: Mapping[str, str],
        given: str | None = None,
        may_fail: bool = False,
    ) -> str:
        """Run a command of `ops`; `given` is its standard input, which may be a secret."""
        command = [sys.executable, "-m", "ops", *arguments]
        return self._run(command, minutes=40, environ=environ, given=given, may_fail=may_fail)

    def _run(
        self,
        command: Sequence[str],
        *,
        minutes: float,
        environ: Mapping[str, str] | None = None,
        given: str | None = None,
        may_fail: bool = False,
    ) -> str:
        try:
            ran = self.execute(
                command,
                folder=self.folder,
                environ=environ or {},
                given=given or "",
                seconds=minutes * _MINUTE,
                shielded=self.shielded,
            )
        except subprocess.TimeoutExpired:
            raise CommandFailedError(
                f"`{self._named(command)}` was not done after {minutes:g} minutes"
            ) from None
        if ran.returncode and not may_fail:
            raise CommandFailedError(
                f"`{self._named(command)}` failed ({ran.returncode}): "
                f"{self.redactor.clean(_end(ran.stderr) or _end(ran.stdout))}"
            )
        return ran.stdout

    def _named(self, command: Sequence[str]) -> str:
        program = Path(command[0]).name
        return self.redactor.clean(" ".join([program, *command[1:]]))


def _parsed(command: Sequence[str], text: str) -> object:
    if not text.strip():
        return None
    try:
        return json.loads(text)
    except ValueError:
        # Its output is not repeated: it may be a key in another form.
        raise CommandFailedError(f"`{' '.join(command[:3])} ...` did not answer in JSON") from None


def _end(text: str) -> str:
    return "\n".join(text.strip().splitlines()[-_LINES:])
