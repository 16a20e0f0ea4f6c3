"""Inputs and locks of the packages, as pip reads them: what is asked for, and what is fixed.

An input, `requirements*.in`, names direct dependencies with ranges; its lock, the `.txt` of the
same name, has every package that these need at one version, with the hashes of its files.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import NormalizedName, canonicalize_name
from packaging.version import InvalidVersion, Version

_COMMENT = re.compile(r"(^|\s+)#.*$")
_HASH = re.compile(r"--hash=(\S+)")
_SHA256 = re.compile(r"sha256:[0-9a-f]{64}")

Environment = Mapping[str, str]
"""The values that markers speak of, such as `python_version`."""


class LockFileError(Exception):
    """A line of an input or a lock that cannot be what it should be; it names file and line."""


@dataclass(frozen=True)
class Asked:
    """A direct dependency: of which input file, and with which range, extras and marker."""

    file: str
    requirement: Requirement

    @property
    def name(self) -> NormalizedName:
        """The package's normalized name."""
        return canonicalize_name(self.requirement.name)


@dataclass(frozen=True)
class Locked:
    """A package at one version: where it applies, its files' hashes, and what asked for it.

    `inputs` are the input files that name it, `needed_by` the packages that do.
    """

    line: int
    requirement: Requirement
    version: Version
    hashes: frozenset[str]
    inputs: frozenset[str]
    needed_by: frozenset[NormalizedName]

    @property
    def name(self) -> NormalizedName:
        """The package's normalized name."""
        return canonicalize_name(self.requirement.name)

    def __str__(self) -> str:
        return f"{self.name}=={self.version}"


def applies(requirement: Requirement, environment: Environment, extra: str = "") -> bool:
    """Return whether a requirement counts in an environment, for one of its package's extras."""
    return requirement.marker is None or requirement.marker.evaluate(
        {**environment, "extra": extra}
    )


def read_input(file: Path) -> list[Asked]:
    """Read an input and those that it takes in by `-r`. Raises `LockFileError`."""
    asked = []
    for number, raw in enumerate(file.read_text(encoding="utf-8").splitlines(), 1):
        line = _COMMENT.sub("", raw).strip()
        where = f"{file.name}:{number}"
        if line.startswith("-r "):
            asked += read_input(file.parent / line.removeprefix("-r ").strip())
        elif line and not line.startswith("-c "):
            asked.append(Asked(file.name, _requirement(line, where)))
    return asked


def read_lock(file: Path) -> list[Locked]:
    """Read a lock. Raises `LockFileError` for what `make lock` would never write."""
    return [_locked(*entry) for entry in _entries(file)]


def _entries(file: Path) -> Iterator[tuple[str, int, str, list[str]]]:
    """Yield file, line number, requirement with options, and the comments below it."""
    lines = file.read_text(encoding="utf-8").splitlines()
    at = 0
    while at < len(lines):
        start, text = at, ""
        while lines[at].endswith("\\") and at + 1 < len(lines):
            text += lines[at].removesuffix("\\")
            at += 1
        text += lines[at]
        at += 1
        if text.startswith("#") or not text.strip():
            continue
        comments = []
        while at < len(lines) and lines[at].lstrip().startswith("#"):
            comments.append(lines[at].strip(" #"))
            at += 1
        yield file.name, start + 1, text, comments


def _locked(file: str, line: int, text: str, comments: list[str]) -> Locked:
    where = f"{file}:{line}"
    hashes = _HASH.findall(text)
    requirement = _requirement(_HASH.sub("", text).strip(), where)
    exact = re.fullmatch(r"==([^*,]+)", str(requirement.specifier))
    if exact is None:
        raise LockFileError(f"{where}: {requirement.name} is not fixed to one version by ==")
    try:
        version = Version(exact[1])
    except InvalidVersion as error:
        raise LockFileError(f"{where}: {error}") from None
    if not hashes:
        raise LockFileError(f"{where}: {requirement.name} has no hash")
    if bad := [value for value in hashes if not _SHA256.fullmatch(value)]:
        raise LockFileError(f"{where}: {requirement.name} has a hash that is not SHA-256: {bad[0]}")
    via = {word for comment in comments if (word := comment.removeprefix("via").strip())}
    return Locked(
        line=line,
        requirement=requirement,
        version=version,
        hashes=frozenset(hashes),
        inputs=frozenset(word[3:] for word in via if word.startswith("-r ")),
        needed_by=frozenset(canonicalize_name(word) for word in via if not word.startswith("-")),
    )


def _requirement(text: str, where: str) -> Requirement:
    """Read one requirement: a name in a range. Options and addresses are refused.

    An address or an option such as `--index-url` would take packages from somewhere else than the
    index that whoever installs has chosen.
    """
    if text.startswith("-"):
        raise LockFileError(f"{where}: an option has no place here: {text.split(maxsplit=1)[0]}")
    try:
        requirement = Requirement(text)
    except InvalidRequirement as error:
        raise LockFileError(f"{where}: {' '.join(str(error).split())}") from None
    if requirement.url is not None:
        raise LockFileError(
            f"{where}: {requirement.name} comes from an address, not from the index"
        )
    return requirement
