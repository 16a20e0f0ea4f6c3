"""Taking down all that a run has made, whatever has failed before, and naming what remains."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from tests.azure import readings
from tests.azure.programs import CommandFailedError, MissingProgramError, Programs

_HOURS = 60.0
_WRONG = (CommandFailedError, MissingProgramError, readings.UnreadableError, OSError, KeyError)


@dataclass
class Left:
    """What a run leaves: `expected` is what Azure keeps by design, `unexpected` costs money."""

    expected: list[str] = field(default_factory=list)
    unexpected: list[str] = field(default_factory=list)


class Cleaner:
    """Takes down deployments by their names; each part is tried even where another fails."""

    def __init__(
        self, programs: Programs, subscription: str, report: Callable[[str], None]
    ) -> None:
        self._programs = programs
        self._subscription = subscription
        self._report = report

    def clean(self, environments: Sequence[str], groups: Sequence[str]) -> Left:
        """Take down azd environments, each a group of its name, and then further groups."""
        left = Left()
        # A Ctrl-C by now may not reach the commands that take everything down.
        self._programs.shielded = True
        for name in environments:
            self._report(f"taking down {name} ...")
            self._environment(name, left)
        for group in groups:
            with self._noting(left, f"group {group}"):
                self._delete(group)
        return left

    def _environment(self, name: str, left: Left) -> None:
        az = self._programs.az
        suffix, roles = "", list[str]()
        with self._noting(left, f"deployments of {name}"):
            # Where a deployment goes on, what is deleted comes back.
            running = az(
                *("deployment", "sub", "list", "--filter", "provisioningState eq 'Running'"),
                *("--query", "[].name"),
            )
            for deployment in readings.names(running):
                if deployment.startswith(f"{name}-"):
                    az("deployment", "sub", "cancel", "--name", deployment)
        try:
            if not az("group", "exists", "--name", name):
                return
        except _WRONG:
            # Not known: better one attempt too many than something left.
            self._report(f"it is not known whether {name} exists")
        with self._noting(left, f"roles of {name}"):
            suffix = readings.suffix_among(
                az("identity", "list", "--resource-group", name, "--query", "[].name")
            )
            roles = readings.roles_of(
                az("role", "definition", "list", "--custom-role-only", "true", *self._scope(name)),
                suffix,
            )
        try:
            self._programs.azd("down", "-e", name, "--force", minutes=2 * _HOURS)
        except (CommandFailedError, MissingProgramError) as error:
            # No deployment of it was ever finished, for example: the group goes all the same.
            self._report(f"azd down: {error}")
        with self._noting(left, f"group {name}"):
            self._delete(name)
        for role in roles:
            with self._noting(left, f"role {role}"):
                az("role", "definition", "delete", "--name", role, *self._scope(name))
        with self._noting(left, f"deleted vaults of {name}"):
            listed = az("keyvault", "list-deleted", "--resource-type", "vault")
            for vault, when in readings.deleted_vaults(listed, suffix).items():
                left.expected.append(f"vault {vault}, deleted; Azure purges it on {when}")

    def _delete(self, group: str) -> None:
        if self._programs.az("group", "exists", "--name", group):
            self._programs.az("group", "delete", "--name", group, "--yes", minutes=2 * _HOURS)
        if self._programs.az("group", "exists", "--name", group):
            raise CommandFailedError("it is still there")

    @contextmanager
    def _noting(self, left: Left, what: str) -> Iterator[None]:
        try:
            yield
        except _WRONG as error:
            left.unexpected.append(f"{what}: {error}")

    def _scope(self, name: str) -> tuple[str, str]:
        return ("--scope", f"/subscriptions/{self._subscription}/resourceGroups/{name}")
