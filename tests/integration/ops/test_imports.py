from __future__ import annotations

import subprocess
import sys

from local.net.folder import ROOT

PROGRAM = """
import sys
import ops.cli
ops.cli.command_line()
print(*sorted({"aiohttp", "alembic", "azure.servicebus", "azure.identity"} & sys.modules.keys()))
"""


def test_what_a_command_can_do_is_said_before_any_client_is_imported() -> None:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == []
