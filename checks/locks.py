"""Whether the locks are what their inputs ask for: `python -m checks.locks`.

Nothing is asked of an index, so that a lock is stale because of a change here, never because there
are newer versions. What a package needs is taken from its own metadata where that very version is
installed, which it is after `make check` has set up, and else from the comments of the lock.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.metadata import Distribution, distributions
from itertools import combinations, product
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import NormalizedName, canonicalize_name
from packaging.version import Version

from checks.lock_files import (
    Asked,
    Environment,
    Locked,
    LockFileError,
    applies,
    read_input,
    read_lock,
)

ROOT = Path(__file__).resolve().parents[1]

APART = ("requirements-checkov.txt", "requirements-lock.txt")
"""Locks of environments that hold nothing else, whose versions may be others than ours."""

Metadata = Mapping[tuple[NormalizedName, Version], Sequence[Requirement]]
"""What versions of packages need, by their own word."""

# The edges of the versions we support, where markers change, on what people and Azure run.
_PYTHONS = ("3.11.0", "3.11.99", "3.12.99", "3.13.0", "3.13.99", "3.14.99")
_SYSTEMS = (
    {"sys_platform": "linux", "platform_system": "Linux", "os_name": "posix"},
    {"sys_platform": "darwin", "platform_system": "Darwin", "os_name": "posix"},
    {"sys_platform": "win32", "platform_system": "Windows", "os_name": "nt"},
)
_MACHINES = ("x86_64", "aarch64", "arm64", "AMD64")
_REMEDY = "run make lock"
# What `make lock` runs, as uv writes it into a lock: Dependabot reads there how to make it anew.
_MADE = "uv pip compile --universal --generate-hashes --python-version 3.11 "


def environments() -> list[dict[str, str]]:
    """Return what markers are evaluated for: CPython on Linux, macOS and Windows."""
    return [
        {
            "python_version": ".".join(python.split(".")[:2]),
            "python_full_version": python,
            "implementation_version": python,
            "implementation_name": "cpython",
            "platform_python_implementation": "CPython",
            "platform_machine": machine,
            "platform_release": "",
            "platform_version": "",
            **system,
        }
        for python, system, machine in product(_PYTHONS, _SYSTEMS, _MACHINES)
    ]


@dataclass(frozen=True)
class Lock:
    """A lock, beside what its input asks for."""

    name: str
    asked: Sequence[Asked]
    locked: Sequence[Locked]


def problems(root: Path, metadata: Metadata) -> list[str]:
    """Return what is wrong with the locks in a folder, each with its file and what to do."""
    found, locks = [], []
    for source in sorted({*root.glob("requirements*.in"), *root.glob("requirements*.txt")}):
        file, input_ = source.with_suffix(".txt"), source.with_suffix(".in")
        if not input_.exists():
            found.append(f"{file.name}: its input {input_.name} does not exist")
        elif not file.exists():
            found.append(f"{input_.name}: it has no lock: {_REMEDY}")
        elif source == file:
            found += _foreign(file)
            try:
                locks.append(Lock(file.name, read_input(input_), read_lock(file)))
            except (LockFileError, OSError) as error:
                found.append(f"{error}: {_REMEDY}")
    for lock in locks:
        found += _unlike_input(lock)
        found += _Walk(lock, metadata).problems()
    found += _unlike_each_other(locks)
    return list(dict.fromkeys(found))


def _foreign(file: Path) -> Iterator[str]:
    text = file.read_text(encoding="utf-8")
    if f"{_MADE}--output-file {file.name} {file.stem}.in" not in text:
        yield f"{file.name}: was not written by make lock, or its head was changed: {_REMEDY}"
    # Whoever installs decides from where: the hashes hold, wherever a file comes from.
    if "://" in text:
        yield f"{file.name}: names an address: {_REMEDY}"


def _unlike_input(lock: Lock) -> Iterator[str]:
    """Compare what an input names with what the lock records of it."""
    for asked in lock.asked:
        entries = [entry for entry in lock.locked if entry.name == asked.name]
        if not any(asked.file in entry.inputs for entry in entries):
            yield f"{lock.name}: {asked.file} asks for {asked.name}, the lock does not: {_REMEDY}"
    named = {(asked.file, asked.name) for asked in lock.asked}
    for entry in lock.locked:
        for file in sorted(entry.inputs):
            if (file, entry.name) not in named:
                yield f"{lock.name}: {entry} is there for {file}, which has it not: {_REMEDY}"


@dataclass
class _Walk:
    """Follows what is needed from an input through a lock, in every environment."""

    lock: Lock
    metadata: Metadata
    found: list[str] = field(default_factory=list)

    def problems(self) -> list[str]:
        """Yield what is needed and absent, out of range, there twice, or needed by nothing."""
        needed: set[int] = set()
        possible: set[int] = set()
        for environment in environments():
            here: dict[NormalizedName, Locked] = {}
            for entry in self.lock.locked:
                if not applies(entry.requirement, environment):
                    continue
                possible.add(entry.line)
                if (other := here.setdefault(entry.name, entry)) is not entry:
                    self._say(f"{entry} and {other} both apply to {_spelled(environment)}")
            needed |= self._needed(here, environment)
        for entry in self.lock.locked:
            # What applies to none of the environments, such as to PyPy, cannot be followed.
            if entry.line in possible - needed:
                self._say(f"nothing needs {entry}")
        return list(dict.fromkeys(self.found))

    def _needed(self, here: Mapping[NormalizedName, Locked], environment: Environment) -> set[int]:
        left = [
            (asked.file, asked.requirement)
            for asked in self.lock.asked
            if applies(asked.requirement, environment)
        ]
        seen: set[tuple[NormalizedName, str]] = set()
        needed: set[int] = set()
        while left:
            by, requirement = left.pop()
            name = canonicalize_name(requirement.name)
            if (entry := here.get(name)) is None:
                self._say(f"{by} needs {requirement.name} on {_spelled(environment)}, not locked")
                continue
            if not requirement.specifier.contains(entry.version, prereleases=True):
                self._say(f"{by} needs {name}{requirement.specifier}, locked is {entry}")
            needed.add(entry.line)
            for extra in {"", *requirement.extras} - {e for n, e in seen if n == name}:
                seen.add((name, extra))
                left += self._needs(entry, extra, here, environment)
        return needed

    def _needs(
        self,
        entry: Locked,
        extra: str,
        here: Mapping[NormalizedName, Locked],
        environment: Environment,
    ) -> list[tuple[str, Requirement]]:
        own = self.metadata.get((entry.name, entry.version))
        if own is None:
            own = [
                Requirement(other.name) for other in here.values() if entry.name in other.needed_by
            ]
        return [(str(entry), need) for need in own if applies(need, environment, extra)]

    def _say(self, text: str) -> None:
        self.found.append(f"{self.lock.name}: {text}: {_REMEDY}")


def _unlike_each_other(locks: Iterable[Lock]) -> Iterator[str]:
    """Compare the locks: one environment may be made from several, and one file has one hash."""
    for one, other in combinations(locks, 2):
        for a, b in product(one.locked, other.locked):
            if a.name != b.name:
                continue
            if a.version == b.version:
                if a.hashes != b.hashes:
                    yield f"{one.name} and {other.name} have other hashes of {a}: {_REMEDY}"
            elif not {one.name, other.name} & {*APART} and _meet(a, b):
                yield f"{one.name} has {a}, {other.name} has {b}: {_REMEDY}"


def _meet(a: Locked, b: Locked) -> bool:
    return any(applies(a.requirement, e) and applies(b.requirement, e) for e in environments())


def _spelled(environment: Environment) -> str:
    return f"Python {environment['python_version']} on {environment['platform_system']}"


def installed(root: Path = ROOT) -> dict[tuple[NormalizedName, Version], list[Requirement]]:
    """Read what the packages here need, in this environment and in checkov's."""
    folders = [f"{f}" for f in root.glob(".venv-checkov/lib/python*/site-packages")]
    found: list[Distribution] = [*distributions(), *distributions(path=folders)]
    return {
        (canonicalize_name(package.name), Version(package.version)): [
            Requirement(need) for need in package.requires or []
        ]
        for package in found
    }


def main() -> int:
    """Check the locks of this folder; 1 if one is not what its input asks for."""
    found = problems(ROOT, installed())
    if found:
        sys.stderr.write("".join(f"locks: {problem}\n" for problem in found))
        return 1
    print(f"locks: {len(list(ROOT.glob('requirements*.in')))} as their inputs ask")
    return 0


if __name__ == "__main__":
    sys.exit(main())
