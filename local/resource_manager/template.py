"""An evaluated template as Resource Manager gets it: resources by kind and id, nothing assumed.

Whatever is malformed counts as absent: `local.deployment` reports that it is malformed.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from local.resource_manager.expressions import FunctionCall, UnknownExpressionError, parse

MADE_ONCE = "madeOnce"
"""The output that lists the ids of what is created once and then left alone."""

# An expression is evaluated only while Azure deploys, so that its value says nothing before.
_EXPRESSION = re.compile(r"\[.*\]", re.DOTALL)


@dataclass(frozen=True, eq=False)
class Resource:
    """A resource; `kind` is its type in lower case, `body` all of it."""

    id: str
    kind: str
    body: Mapping[str, Any]

    @property
    def name(self) -> str:
        """Its own name without those of its parents, or the expression for it."""
        _, found, name = self.id.partition(f"/providers/{self.body.get('type')}/")
        return name if found and "(" in name else self.id.rpartition("/")[2]

    @property
    def key(self) -> str:
        """Its id in lower case: ids are compared without regard to case."""
        return self.id.lower()

    @property
    def parent(self) -> str:
        """The id of its parent, in lower case."""
        return self.key.rsplit("/", 2)[0]

    @property
    def location(self) -> str:
        """Its location in one form: `West Europe` is `westeurope`."""
        value = self.body.get("location")
        return value.replace(" ", "").lower() if isinstance(value, str) else ""

    def at(self, path: str) -> Any:
        """Return the property at a path; None where it is absent. Names have no case, as in Azure.

        A path starts in `properties`; one that starts with `/` in the resource, as in `/sku.name`.
        """
        found: Any = self.body if path.startswith("/") else member(self.body, "properties")
        for name in path.removeprefix("/").split("."):
            found = member(found, name)
        return found

    def known(self, path: str) -> Any:
        """Return the property at a path; None for an expression, too."""
        value = self.at(path)
        return None if is_expression(value) else value


class Template:
    """The resources of a snapshot, and which of them are created once and then left alone."""

    def __init__(self, snapshot: object) -> None:
        listed = snapshot if isinstance(snapshot, Mapping) else {}
        self.resources = tuple(_resources(listed.get("predictedResources")))
        self._by_id = {resource.key: resource for resource in self.resources}
        once = items(member(listed.get("outputs"), MADE_ONCE))
        self._once = frozenset(one.lower() for one in once if isinstance(one, str))

    def of(self, *kinds: str) -> Iterator[Resource]:
        """Return the resources of some kinds."""
        wanted = {kind.lower() for kind in kinds}
        yield from (resource for resource in self.resources if resource.kind in wanted)

    def get(self, resource_id: object) -> Resource | None:
        """Return a resource by its id."""
        return self._by_id.get(resource_id.lower()) if isinstance(resource_id, str) else None

    def made_once(self, resource: Resource) -> bool:
        """Return whether it is declared with `@onlyIfNotExists()`, as a deployment's output says.

        `bicep snapshot` leaves the decorator itself out.
        """
        return resource.key in self._once


def member(value: Any, name: str) -> Any:
    """Return a member of an object, whose names have no case; None where it is absent."""
    if not isinstance(value, Mapping):
        return None
    if name in value:
        return value[name]
    return next((item for key, item in value.items() if str(key).lower() == name.lower()), None)


def members(value: Any) -> Mapping[str, Any]:
    """Return an object, or an empty one."""
    return value if isinstance(value, Mapping) else {}


def items(value: Any) -> list[Any]:
    """Return an array, or an empty one."""
    return value if isinstance(value, list) else []


def is_expression(value: object) -> bool:
    """Return whether something is evaluated only while Azure deploys."""
    return isinstance(value, str) and _EXPRESSION.fullmatch(value) is not None


def is_whole(value: object, low: int, high: int) -> bool:
    """Return whether something is a whole number within limits."""
    return isinstance(value, int) and not isinstance(value, bool) and low <= value <= high


def _resources(listed: object) -> Iterator[Resource]:
    for body in items(listed):
        found = members(body)
        resource_id, kind = found.get("id"), found.get("type")
        if isinstance(resource_id, str) and isinstance(kind, str):
            resource_id = _with_computed_name(resource_id, kind)
            yield Resource(resource_id, kind.lower(), found)


def _with_computed_name(resource_id: str, kind: str) -> str:
    """Return an id whose last part may be the expression that makes it, as text."""
    try:
        expression = parse(resource_id)
    except UnknownExpressionError:
        return resource_id
    if not isinstance(expression, FunctionCall) or expression.name != "extensionResourceId":
        return resource_id
    scope, _, name = expression.arguments
    return f"{scope}/providers/{kind}/{name}"
