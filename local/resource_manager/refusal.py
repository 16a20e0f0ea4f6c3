"""A refusal of Azure, and the rule that predicts it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Generic, TypeVar

from local.resource_manager.template import Resource

T = TypeVar("T")


@dataclass(frozen=True)
class Refusal:
    """What Azure would answer: where, what is wrong, Azure's code, and the source of the rule.

    `resource` is a resource id; `path` a property of it, such as `siteConfig.ftpsState`, or empty
    for the whole of it. `what` never holds a value that could be secret.
    """

    resource: str
    path: str
    what: str
    code: str
    source: str

    @property
    def location(self) -> str:
        """The resource and the property, without the subscription and the group."""
        _, found, inside = self.resource.partition("/providers/")
        # A name that is derived from a principal's id is long, and does not help a reader.
        short = re.sub(r"/guid\(.*", "/guid(...)", inside if found else self.resource)
        return f"{short}: {self.path}" if self.path else short

    def __str__(self) -> str:
        return f"{self.location}: {self.what} ({self.code}; source: {self.source})"


@dataclass(frozen=True)
class Violation:
    """What a rule finds in a resource; the rule has the code and the source."""

    resource: Resource
    path: str
    what: str


@dataclass(frozen=True)
class Rule(Generic[T]):
    """One thing that Azure refuses: `find` reports it in a template, or in a change of one."""

    code: str
    source: str
    find: Callable[[T], Iterable[Violation]]

    def refusals(self, subject: T) -> Iterator[Refusal]:
        """Return what it finds."""
        for violation in self.find(subject):
            yield Refusal(
                violation.resource.id, violation.path, violation.what, self.code, self.source
            )


def found(rules: Iterable[Rule[T]], subject: T) -> list[Refusal]:
    """Return what the rules find, sorted by resource and property, without repetition."""
    refusals = {refusal for rule in rules for refusal in rule.refusals(subject)}
    return sorted(refusals, key=lambda one: (one.resource, one.path, one.what))
