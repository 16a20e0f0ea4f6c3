from __future__ import annotations

import subprocess
import sys

from local.net.folder import ROOT

PROGRAM = """
import sys
import local.cli.main
print(*sorted({"alembic", "sqlalchemy", "azure.servicebus", "azure.identity"} & sys.modules.keys()))
"""


def test_a_command_loads_neither_the_library_of_the_ledger_nor_an_sdk_before_it_needs_one() -> None:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == []
