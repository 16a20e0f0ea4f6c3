"""`python -m bench`: measure, print the table, write `bench/results.json` and the plots.

With `--quick` everything is measured in tiny sizes, and nothing is kept: what it shows is that the
bench works. The exit code is 1 where a row has no figure, or where the relay refused a request,
which no measurement expects; what the figures are does not matter.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from bench import machine, plots
from bench.expectations import EXPECTED
from bench.figures import as_json, is_busy, made_on, reason, refusals, rows, shown, tally
from bench.groups import Run, run_all, run_at_once
from bench.sizes import FULL, QUICK

ROOT = Path(__file__).resolve().parents[1]
RESULTS = ROOT / "bench" / "results.json"
PLOTS = ROOT / "docs" / "images"


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure; return 0 if every row has a figure, and the relay refused nothing."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="tiny sizes, nothing is kept")
    is_quick = parser.parse_args(arguments).quick
    before, begun, others = machine.load(), time.monotonic(), machine.Others()
    if is_busy(before, os.cpu_count() or 1) and not is_quick:
        _say("the machine is not quiet: the figures will mean little, and say so")
    with tempfile.TemporaryDirectory(prefix="relay-bench-") as name:
        folder = Path(name)
        run = Run(QUICK if is_quick else FULL, folder, _say)
        asyncio.run(run_at_once(run) if is_quick else run_all(run))
        table = [as_json(row) for row in rows(EXPECTED, run.figures, run.failures)]
        results = {
            "machine": machine.describe(),
            "before": before,
            "after": machine.load(),
            "others": others.share(),
            "seconds": round(time.monotonic() - begun),
            "rows": table,
            "failed": run.failures,
            "refused": run.refused,
            "series": run.series,
        }
        to = folder / "results.json" if is_quick else RESULTS
        to.write_text(json.dumps(results, indent=1) + "\n")
        plots.draw(json.loads(to.read_text()), folder / "plots" if is_quick else PLOTS)
    _show(table)
    print(made_on(results))
    for title, count in run.refused.items():
        print(f"THE RELAY REFUSED {count:,} REQUESTS, SO ITS FIGURES ARE NOT TO BE USED: {title}")
    is_whole = not run.failures and all(row["figure"] is not None for row in table)
    return 0 if is_whole and not run.refused else 1


def _say(line: str) -> None:
    print(f"{time.strftime('%H:%M:%S')} {line}", file=sys.stderr, flush=True)


def _show(table: Sequence[Mapping[str, Any]]) -> None:
    shows = Table("what", "before", "must be", "measured", "", show_edge=False)
    for row in table:
        figure = "" if row["figure"] is None else shown(row["figure"])
        shows.add_row(row["name"], row["before"], row["bound"], figure, row["verdict"])
    console = Console()
    console.print(shows)
    for row in table:
        if why := reason(row):
            console.print(f"{row['verdict']}: {row['name']}: {why}", soft_wrap=True)
        if row["refused"]:
            console.print(f"{row['name']}: {refusals(row['refused'])}", soft_wrap=True)
    console.print(tally(table))


if __name__ == "__main__":
    sys.exit(main())
