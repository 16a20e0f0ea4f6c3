"""A run: the steps that are asked for, one after the other, and everything taken down after."""

from __future__ import annotations

import secrets
import shutil
import signal
import subprocess
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

from checks.package import ROOT
from tests.azure import readings
from tests.azure.account import Account, NothingRunError
from tests.azure.cleaning import Cleaner, Left
from tests.azure.edges import Edges
from tests.azure.finding import Finding, NotRunError
from tests.azure.outcome import Outcome, Results
from tests.azure.partner import Partner
from tests.azure.plan import Step
from tests.azure.programs import CommandFailedError, MissingProgramError, Programs
from tests.azure.stage import Stage

_SKU = "Standard_B1ms"
_WRONG = (CommandFailedError, MissingProgramError, readings.UnreadableError, OSError, KeyError)


def run_name() -> str:
    """Return a name that no run had before: its vaults keep their names for 90 days."""
    return f"relay-test-{secrets.token_hex(3)}"


def preflight(programs: Programs, location: str) -> None:
    """Raise `NothingRunError` if the location does not offer what is deployed."""
    reasons = (
        readings.not_flexible(
            programs.az("functionapp", "list-flexconsumption-locations"), location
        ),
        readings.no_database(
            programs.az("postgres", "flexible-server", "list-skus", "--location", location),
            location,
            _SKU,
        ),
    )
    for reason in filter(None, reasons):
        raise NothingRunError(reason)


class Run:
    """One run: its two deployments, of which each is made only if a step needs it."""

    def __init__(
        self,
        name: str,
        account: Account,
        location: str,
        address: str,
        programs: Programs,
        edges: Edges,
        report: Callable[[str], None],
    ) -> None:
        self.name = name
        self._account = account
        self._programs = programs
        self._edges = edges
        self._report = report
        self._partner = Partner(name, location, programs, edges)
        usual = {
            "AZURE_LOCATION": location,
            "RELAY_VAULT_AUTHORIZATION": "rbac",
            "RELAY_NETWORK": "public",
            "RELAY_BUS_TIER": "Standard",
            "RELAY_ALLOWED_ADDRESSES": f'["{address}"]',
        }
        inside = {
            **usual,
            "RELAY_NETWORK": "private",
            "RELAY_BUS_TIER": "Premium",
            "RELAY_ALLOWED_ADDRESSES": "[]",
            "RELAY_MACHINES": '["reader"]',
        }
        self._stages: Mapping[str, Stage] = {
            "public": self._stage(name, usual),
            "private": self._stage(f"{name}-private", inside),
        }

    def steps(self, steps: Sequence[Step], results: Results) -> Left:
        """Run them, and take down everything, even after a Ctrl-C, which is raised again."""
        results.write()
        try:
            with terminated_as_interrupted():
                for step in steps:
                    self._report(f"{step.name}: {step.does} ...")
                    results.add(self._outcome(step))
        finally:
            with uninterrupted(self._report):
                left = self._clean()
                results.left = [*left.unexpected, *left.expected]
                results.write()
        return left

    def _outcome(self, step: Step) -> Outcome:
        start = self._edges.now()
        try:
            found = step.run(self._stages[step.on])
        except NotRunError as error:
            return Outcome(step.name, "not run", self._edges.now() - start, [str(error)])
        except _WRONG as error:
            found = Finding([self._programs.redactor.clean(f"{error}")])
        except BaseException:
            # The file says what was interrupted, and no step after it looks as if it had passed.
            self._report(f"{step.name}: interrupted")
            raise
        clean = [self._programs.redactor.clean(problem) for problem in found.problems]
        took = self._edges.now() - start
        return Outcome(step.name, "failed" if clean else "passed", took, clean, found.facts)

    def _clean(self) -> Left:
        made = [stage.name for stage in self._stages.values() if stage.exists]
        if not made:
            return Left()
        cleaner = Cleaner(self._programs, self._account.subscription, self._report)
        return cleaner.clean(made, [self._partner.group])

    def _stage(self, name: str, settings: Mapping[str, str]) -> Stage:
        subscription = self._account.subscription
        return Stage(
            name, subscription, settings, self._programs, self._edges, self._partner, self._report
        )


def copy_project(target: Path) -> None:
    """Copy what git knows of the project, so that azd's environment of the user stays as it is.

    Raises `NothingRunError`.
    """
    try:
        listed = subprocess.run(
            ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=True,
        ).stdout
    except (OSError, subprocess.CalledProcessError):
        raise NothingRunError("it takes git, and a clone of the project") from None
    for name in filter(None, listed.split("\0")):
        source = ROOT / name
        if source.is_file():
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source, target / name)


@contextmanager
def terminated_as_interrupted() -> Iterator[None]:
    """Take SIGTERM for a Ctrl-C: a run that is ended takes down what it has made."""

    def interrupt(_: int, __: FrameType | None) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


@contextmanager
def uninterrupted(report: Callable[[str], None]) -> Iterator[None]:
    """Go on through Ctrl-C and SIGTERM, saying so."""

    def go_on(_: int, __: FrameType | None) -> None:
        report("still taking down; ending this now leaves what costs money")

    before = {number: signal.signal(number, go_on) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
