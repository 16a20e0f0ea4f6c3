"""`python -m bench`: measure, print, and write `bench/README.md`."""

from __future__ import annotations

import asyncio
import platform
import tempfile
from pathlib import Path

from bench.ledger import MANY, measured
from tests.postgres import NoPostgresError, running

_README = Path(__file__).parent / "README.md"
_TEXT = """# What is fast

Written by `make bench` on {machine}. Each figure is a ratio of two times of
the same run, so that it says more of the ledger than of the machine; below one is faster.

- *status*: one message of {many:,} beside one of 1,000
- *page*: the newest hundred of {many:,} beside those of 1,000
- *at once*: two hundred requests at once, which share statements, beside one after the other

| database | status | page | at once |
|---|---|---|---|
{rows}
"""


def main() -> None:
    """Measure both databases, or the one that is available."""
    rows = []
    with tempfile.TemporaryDirectory(prefix="relay-bench-") as folder:
        rows.append(("SQLite", asyncio.run(measured(Path(folder), None))))
        try:
            with running(durable=True) as server:
                rows.append(("PostgreSQL", asyncio.run(measured(Path(folder), server))))
        except NoPostgresError as error:
            print(f"PostgreSQL is left out: {error}")
    lines = "\n".join(
        f"| {name} | " + " | ".join(f"{r:.2f}" for r in row) + " |" for name, row in rows
    )
    machine = f"{platform.system()} {platform.machine()}, Python {platform.python_version()}"
    _README.write_text(_TEXT.format(machine=machine, many=MANY, rows=lines))
    print(_README.read_text())


if __name__ == "__main__":
    main()
