"""The command line.

0: every step asked for has passed and nothing unexpected remains; 1: something has not passed, or
remains; 2: the command made no sense; 3: nothing was run; 130: interrupted, and taken down.
"""

from __future__ import annotations

import argparse
import ipaddress
import re
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from checks.package import ROOT
from tests.azure.account import Account, NothingRunError, account, confirm
from tests.azure.cleaning import Cleaner
from tests.azure.edges import Edges
from tests.azure.outcome import Results, table
from tests.azure.plan import Step, steps
from tests.azure.programs import CommandFailedError, Programs
from tests.azure.running import Run, copy_project, preflight, run_name

NOTHING_RUN = 3
_INTERRUPTED = 130
_RESULTS = ROOT / ".azure-results"
_RUN = re.compile(r"relay-test-[0-9a-f]{6}", re.ASCII)
_LOCATION = re.compile(r"[a-z0-9]{3,40}", re.ASCII)
_HOUR = 60.0


def main(arguments: Sequence[str] | None = None, edges: Edges | None = None) -> int:
    """Run it."""
    parser = _parser()
    options = parser.parse_args(arguments)
    planned, edges = steps(options.away_minutes), edges or Edges()
    if options.list:
        _list(planned)
        return 0
    chosen = _chosen(parser, planned, options.step)
    with tempfile.TemporaryDirectory(prefix="relay-azure-") as folder:
        programs = Programs(Path(folder), edges.execute)
        try:
            found = account(programs)
            # Only now: who has neither program learns that first.
            if not options.clean and not (options.location and options.address):
                parser.error("give LOCATION and ADDRESS: LOCATION=swedencentral ADDRESS=1.2.3.4/32")
            _confirmed(programs, found, options)
            if options.clean:
                return _clean(programs, found, options.clean)
            preflight(programs, options.location)
            copy_project(Path(folder))
        except (NothingRunError, CommandFailedError, KeyboardInterrupt) as error:
            _report(f"Nothing was run in Azure: {str(error) or 'interrupted'}.")
            return NOTHING_RUN
        return _run(programs, found, chosen, options, edges)


def _run(
    programs: Programs,
    found: Account,
    chosen: Sequence[Step],
    options: argparse.Namespace,
    edges: Edges,
) -> int:
    name = run_name()
    file = _RESULTS / f"{name}.json"
    asked = [step.name for step in chosen]
    results = Results(file, name, found.subscription, options.location, asked)
    _report(f"run {name}; if it is killed: make azure CLEAN={name}")
    run = Run(name, found, options.location, options.address, programs, edges, _report)
    try:
        left = run.steps(chosen, results)
    except KeyboardInterrupt:
        _show(results)
        return _INTERRUPTED
    _show(results)
    return 0 if results.passed and not left.unexpected else 1


def _clean(programs: Programs, found: Account, name: str) -> int:
    cleaner = Cleaner(programs, found.subscription, _report)
    left = cleaner.clean([name, f"{name}-private"], [f"{name}-partner"])
    _remaining([*left.unexpected, *left.expected])
    return 1 if left.unexpected else 0


def _confirmed(programs: Programs, found: Account, options: argparse.Namespace) -> None:
    ask = input if sys.stdin.isatty() else None
    confirm(found, options.subscription, sure=options.yes, ask=ask)
    # Whatever becomes az's default meanwhile: this is the one that was confirmed.
    programs.subscription = found.subscription


def _chosen(
    parser: argparse.ArgumentParser, planned: Sequence[Step], wanted: Sequence[str]
) -> list[Step]:
    unknown = set(wanted) - {step.name for step in planned}
    if unknown:
        parser.error(
            f"no step {', '.join(sorted(unknown))}; there are "
            + ", ".join(step.name for step in planned)
        )
    return [step for step in planned if not wanted or step.name in wanted]


def _list(planned: Sequence[Step]) -> None:
    for step in planned:
        print(f"{step.name:22}{step.minutes:4} min  {step.dollars:5.2f} USD  {step.does}")


def _show(results: Results) -> None:
    Console().print(table(results.outcomes))
    _remaining(results.left)
    _report(f"written to {results.file}")


def _remaining(left: Sequence[str]) -> None:
    for what in left:
        _report(f"remains: {what}")
    if not left:
        _report("nothing remains")


def _report(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="make azure",
        description="Try in a subscription what only Azure itself can show, and take down all of "
        "it. It takes az and azd, signed in.",
    )
    parser.add_argument(
        "--step", action="append", default=[], metavar="NAME", help="this step alone; --list"
    )
    parser.add_argument("--list", action="store_true", help="list the steps, and run nothing")
    parser.add_argument("--location", type=_location, help="where, such as swedencentral")
    parser.add_argument(
        "--address", type=_address, help="your own public address, which the database lets in"
    )
    parser.add_argument("--subscription", metavar="ID", help="the one that is meant")
    parser.add_argument("--yes", action="store_true", help="with --subscription: do not ask")
    parser.add_argument(
        "--away-minutes",
        type=_minutes,
        default=_HOUR,
        metavar="N",
        help="how long the partner is away (60)",
    )
    parser.add_argument(
        "--clean", type=_run_named, metavar="RUN", help="take down what a killed run has left"
    )
    return parser


def _location(text: str) -> str:
    if not _LOCATION.fullmatch(text):
        raise argparse.ArgumentTypeError("must be a name of Azure's, such as swedencentral")
    return text


def _address(text: str) -> str:
    try:
        found = ipaddress.IPv4Network(text)
    except ValueError:
        raise argparse.ArgumentTypeError("must look like 203.0.113.4/32") from None
    if not found.is_global:
        raise argparse.ArgumentTypeError(f"{text} is not a public address")
    return str(found)


def _minutes(text: str) -> float:
    if not re.fullmatch(r"[1-9]\d{0,3}", text, re.ASCII):
        raise argparse.ArgumentTypeError("must be a whole number of minutes")
    return float(text)


def _run_named(text: str) -> str:
    if not _RUN.fullmatch(text):
        raise argparse.ArgumentTypeError("must be the name of a run, such as relay-test-0a1b2c")
    return text
