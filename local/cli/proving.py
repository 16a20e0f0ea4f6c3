"""The access audit at the end of the demo: the operator's command, as anybody would run it."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from local.net.folder import ROOT


async def prove_access(folder: Path) -> int:
    """Show which identity may do what in the cloud of a folder; return the command's exit code."""
    print("\nWhich identity may do what, as each app has just tried it:", flush=True)
    # A process of its own, since the environment makes it an operator.
    command = (sys.executable, "-m", "ops", "prove", "--folder", str(folder))
    process = await asyncio.create_subprocess_exec(*command, cwd=ROOT)
    try:
        return await process.wait()
    except asyncio.CancelledError:
        if process.returncode is None:
            process.terminate()
            await process.wait()
        raise
