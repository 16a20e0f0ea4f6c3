"""The operator's commands that the page has a button for, run as anybody would run them."""

from __future__ import annotations

import asyncio
import json
import re
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from local.net.folder import ROOT

_SECONDS = 180.0
_NUMBER = re.compile(r"(?:dead)?#\d{1,19}", re.ASCII)


class CommandFailedError(Exception):
    """A command did not do what it was started for; the text says why."""


class OperatorCommands:
    """Runs `python -m ops` on the cloud in a folder, each in a process of its own.

    The process gets the operator's identity from the folder, as a person's would, so that a button
    can do no more than the operator may.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    async def replay(self, number: str) -> str:
        """Replay the rejected message of a sequence number. Raises `CommandFailedError`."""
        # From a request: nothing but a number may become an argument.
        if not _NUMBER.fullmatch(number):
            raise CommandFailedError("A rejected message is named by # and its sequence number.")
        await self._run("replay", number, "--json")
        return f"The rejected message {number} is sent again."

    async def bring_forward(self) -> str:
        """Send what waits for its next attempt now. Raises `CommandFailedError`."""
        await self._run("retry", "--all", "--json")
        return "What waits is sent now."

    async def prove(self) -> Mapping[str, object]:
        """Run the access audit; return what it comes to, and what differs."""
        report = await self._run("prove", "--json", allowed=(0, 1))
        if not isinstance(report, dict) or not isinstance(report.get("tried"), list):
            raise CommandFailedError("The access audit gave no report.")
        tried = [one for one in report["tried"] if isinstance(one, dict)]
        return {
            "proven": report.get("proven") is True,
            "silent": report.get("silent"),
            "identities": _by_identity(tried),
            "differences": [one for one in tried if one.get("verdict") != "as declared"][:50],
        }

    async def _run(self, *arguments: str, allowed: tuple[int, ...] = (0,)) -> object:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "ops", *arguments, "--folder", str(self._folder)),
            cwd=ROOT,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        try:
            output, errors = await asyncio.wait_for(process.communicate(), _SECONDS)
        except TimeoutError:
            raise CommandFailedError(
                f"`ops {arguments[0]}` took longer than {_SECONDS:.0f} seconds."
            ) from None
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
        if process.returncode not in allowed:
            lines = errors.decode(errors="replace").strip().splitlines()
            why = lines[-1] if lines else f"exit code {process.returncode}"
            raise CommandFailedError(f"`ops {arguments[0]}` failed: {why}")
        try:
            content: object = json.loads(output)
        except ValueError:
            raise CommandFailedError(f"`ops {arguments[0]}` printed no JSON.") from None
        return content


def _by_identity(tried: Sequence[Mapping[str, object]]) -> Mapping[str, Mapping[str, int]]:
    """Count for each identity the tries that were allowed and refused, and those that differ."""
    counts: dict[str, dict[str, int]] = {}
    for one in tried:
        of = counts.setdefault(str(one.get("identity")), {"allowed": 0, "refused": 0, "differ": 0})
        actual = str(one.get("actual"))
        if actual in ("allowed", "refused"):
            of[actual] += 1
        if one.get("verdict") != "as declared":
            of["differ"] += 1
    return counts
