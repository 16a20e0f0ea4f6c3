"""What docs/operating.md gives for an operator's night, run command by command as it is written."""

from __future__ import annotations

import asyncio
import os
import re
import shlex
import sys
from pathlib import Path

import pytest

from tests.pipeline.cloud_process import ROOT, SNAPSHOT, Running, running, with_settings

pytestmark = pytest.mark.long

# An hour of the partner's absence, played in seconds.
QUICK = {"RELAY_RETRY_SCHEDULE": "1s,1s,1h,1h", "RELAY_WAIT_SECONDS": "1"}
_SECTION = re.compile(r"^## At night\n(.*?)^## ", re.MULTILINE | re.DOTALL)
_BLOCK = re.compile(r"```\n(.*?)```", re.DOTALL)


def commands() -> list[str]:
    """Return the commands of the section, in their order."""
    section = _SECTION.search((ROOT / "docs" / "operating.md").read_text())
    assert section
    return [line for block in _BLOCK.findall(section[1]) for line in block.splitlines()]


def here(command: str, cloud: Running) -> str:
    """Return a command for this cloud instead of the one in `.local` with the usual ports."""
    folder = shlex.quote(str(cloud.folder))
    command = command.replace(" --local", "")
    command = re.sub(
        r"\.venv/bin/python -m (local|ops)( [a-z ]+)?",
        lambda found: (
            f"{sys.executable} -m {found[1]}{(found[2] or '').rstrip()} --folder {folder} "
        ),
        command,
    )
    for app, port in (("receiver", 7072), ("tracker", 7073)):
        command = command.replace(f"http://127.0.0.1:{port}", cloud.endpoints[app])
    return command


async def ran(command: str) -> tuple[int, str]:
    process = await asyncio.create_subprocess_shell(
        command,
        cwd=ROOT,
        env=os.environ,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    out, _ = await process.communicate()
    assert process.returncode is not None
    return process.returncode, out.decode()


async def test_every_command_of_the_night_answers_its_question(tmp_path: Path) -> None:
    with running(tmp_path / "cloud", with_settings(SNAPSHOT, tmp_path, receiver=QUICK)) as cloud:
        await cloud.fault(service="partner", answer="status", status=400, times=1)
        async with cloud.session() as session:
            rejected = await cloud.send(session, b"refused", "a/b")
            await cloud.entry(rejected, "rejected")
            await cloud.fault(service="partner", answer="status", status=503)
            stuck = await cloud.send(session, b"stuck", "a/b")
        entry = await cloud.entry(stuck, "retrying")
        assert entry["next_attempt_at"] > entry["times"]["retrying"]
        await cloud.waiting("retries", 1)
        shown = {}
        for command in commands():
            if "partner resume" in command:
                await cloud.heal()
            code, shown[command] = await ran(here(command, cloud))
            assert code == 0, (command, shown[command])
        found = dict(zip(range(len(shown)), shown.values(), strict=True))
        assert '"rejected": {"messages": 1' in found[0]
        assert '"retrying": {"messages": 1' in found[0]
        assert "sender" in found[1]
        assert '"ok"' in found[2]
        assert stuck in found[3]
        assert stuck in found[5]
        assert "partner-refused" in found[6]
        assert f"rejected '{rejected}'" in found[7] or rejected in found[7]
        assert "keys/decrypt" in found[8]
        assert "proven: " in found[10]
        await cloud.received({stuck})
