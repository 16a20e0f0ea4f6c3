"""Rules about one property by itself: its presence, its values, its range.

What is an expression is not known before Azure deploys, and passes each of them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence

from local.resource_manager.refusal import Violation
from local.resource_manager.template import Resource, Template, is_expression, is_whole

Select = Callable[[Template], Iterable[Resource]]
Find = Callable[[Template], Iterator[Violation]]


def of(*kinds: str) -> Select:
    """Select the resources of some kinds."""
    return lambda template: template.of(*kinds)


def required(select: Select, path: str) -> Find:
    """Name resources without the property."""

    def find(template: Template) -> Iterator[Violation]:
        for resource in select(template):
            if resource.at(path) is None:
                yield Violation(resource, _name(path), "is missing")

    return find


def one_of(
    select: Select,
    path: str,
    allowed: Sequence[str | int],
    *,
    is_required: bool = False,
    ignores_case: bool = False,
) -> Find:
    """Name resources whose property is another than those allowed; absent only if required."""
    known = {str(value).lower() if ignores_case else value for value in allowed}
    what = f"must be one of {', '.join(map(str, allowed))}"

    def is_known(value: object) -> bool:
        if not isinstance(value, str | int) or isinstance(value, bool):
            return False
        return (str(value).lower() if ignores_case else value) in known

    def find(template: Template) -> Iterator[Violation]:
        for resource in select(template):
            value = resource.at(path)
            if is_expression(value) or (value is None and not is_required):
                continue
            if not is_known(value):
                yield Violation(resource, _name(path), what)

    return find


def in_range(select: Select, path: str, low: int, high: int) -> Find:
    """Name resources whose property is not a whole number from `low` to `high`."""

    def find(template: Template) -> Iterator[Violation]:
        for resource in select(template):
            value = resource.known(path)
            if value is not None and not is_whole(value, low, high):
                yield Violation(resource, _name(path), f"must be from {low} to {high}")

    return find


def never_false(select: Select, path: str, why: str) -> Find:
    """Name resources whose property is false."""

    def find(template: Template) -> Iterator[Violation]:
        for resource in select(template):
            if resource.at(path) is False:
                yield Violation(resource, _name(path), f"cannot be set to false{why}")

    return find


def _name(path: str) -> str:
    return path.removeprefix("/")
