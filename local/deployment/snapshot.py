"""A Bicep snapshot as JSON objects of which every property has to be accounted for."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path

from local.deployment.expressions import Call, Expression, UnknownExpression, parse
from local.deployment.resources import Reference
from local.resource_manager import durations


class DeploymentError(Exception):
    """A snapshot that the local cloud cannot honour; names file, resource and property."""

    def __init__(self, file: Path, resource: str, path: str, why: str) -> None:
        super().__init__(f"{file}: {resource or 'the snapshot'}: {path or 'the whole'}: {why}")
        self.file = file
        self.resource = resource
        self.path = path
        self.why = why


@dataclass(frozen=True)
class Place:
    """Where in a snapshot something stands."""

    file: Path
    resource: str = ""
    path: str = ""

    def __truediv__(self, name: str | int) -> Place:
        step = f"[{name}]" if isinstance(name, int) else f".{name}" if self.path else name
        return replace(self, path=self.path + step)

    def refuse(self, why: str) -> DeploymentError:
        """Return the error that names this place."""
        return DeploymentError(self.file, self.resource, self.path, why)


class Body:
    """A JSON object that is read to its last property: `done` refuses whatever nobody asked for.

    A property that is null counts as absent, as it does in a deployment.
    """

    def __init__(self, value: object, place: Place) -> None:
        if not isinstance(value, dict):
            raise place.refuse("must be an object")
        self.place = place
        self._left = {str(name): item for name, item in value.items() if item is not None}

    def ignore(self, *names: str) -> None:
        """Account for properties that change nothing locally."""
        for name in names:
            self._left.pop(name, None)

    def rest(self) -> Iterator[tuple[str, object]]:
        """Take all properties that are left: for objects whose names are data."""
        while self._left:
            yield self._left.popitem()

    def names(self) -> list[str]:
        """Name the properties that are left: for objects whose names are data."""
        return sorted(self._left)

    def done(self) -> None:
        """Refuse the first property that is not accounted for."""
        for name in self._left:
            raise (self.place / name).refuse("is a property that the local cloud cannot honour")

    def text(self, name: str, default: str | None = None) -> str:
        """Take a literal string."""
        return _literal(self._take(name, default), self.place / name)

    def value(self, name: str, default: str | None = None) -> str | Reference:
        """Take a string, which may be a reference."""
        return _value(self._take(name, default), self.place / name)

    def expression(self, name: str) -> Expression:
        """Take a string, which may be any known expression."""
        return _expression(self._take(name, None), self.place / name)

    def choice(self, name: str, allowed: tuple[str, ...], default: str | None = None) -> str:
        """Take one of the allowed strings, without regard to case, as it is spelt there."""
        text = self.text(name, default)
        for known in allowed:
            if known.lower() == text.lower():
                return known
        raise (self.place / name).refuse(f"{text!r} is not one of {', '.join(allowed)}")

    def flag(self, name: str, *, default: bool) -> bool:
        """Take a boolean."""
        value = self._take(name, default)
        if not isinstance(value, bool):
            raise (self.place / name).refuse("must be true or false")
        return value

    def only(self, name: str, allowed: object, why: str) -> None:
        """Account for a property that may be absent or have one value only."""
        if name in self._left and self._left.pop(name) != allowed:
            raise (self.place / name).refuse(why)

    def number(self, name: str, default: int, low: int = 0, high: int = 2**31 - 1) -> int:
        """Take a whole number within limits."""
        value = self._take(name, default)
        if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
            raise (self.place / name).refuse(f"must be a whole number from {low} to {high}")
        return value

    def duration(self, name: str, default: timedelta | None) -> timedelta | None:
        """Take a duration; None is "never"."""
        if name not in self._left:
            return default
        try:
            return durations.parse(self.text(name))
        except ValueError as error:
            raise (self.place / name).refuse(str(error)) from None

    def body(self, name: str) -> Body:
        """Take an object; an absent one is empty."""
        return Body(self._take(name, {}), self.place / name)

    def bodies(self, name: str) -> list[Body]:
        """Take an array of objects."""
        at = self.place / name
        return [Body(item, at / i) for i, item in enumerate(self._array(name))]

    def texts(self, name: str, default: tuple[str, ...] = ()) -> tuple[str, ...]:
        """Take an array of literal strings."""
        if name not in self._left:
            return default
        at = self.place / name
        return tuple(_literal(item, at / i) for i, item in enumerate(self._array(name)))

    def _array(self, name: str) -> list[object]:
        items = self._take(name, [])
        if not isinstance(items, list):
            raise (self.place / name).refuse("must be an array")
        return items

    def _take(self, name: str, default: object) -> object:
        value = self._left.pop(name, default)
        if value is None:
            raise (self.place / name).refuse("is missing")
        return value


def _expression(item: object, place: Place) -> Expression:
    if not isinstance(item, str):
        raise place.refuse("must be a string")
    try:
        return parse(item)
    except UnknownExpression as error:
        raise place.refuse(str(error)) from None


def _value(item: object, place: Place) -> str | Reference:
    value = _expression(item, place)
    if isinstance(value, Call):
        raise place.refuse(f"{value.name} is not evaluated here")
    return value


def _literal(item: object, place: Place) -> str:
    value = _value(item, place)
    if not isinstance(value, str):
        raise place.refuse("must be a literal, not an expression")
    return value


@dataclass(frozen=True)
class Resource:
    """One predicted resource: `properties` apart from the `envelope` around it.

    Where the id is `computed` from what is known at run time only, `id` has … for its last part.
    """

    id: str
    type: str
    api_version: str
    location: str
    envelope: Body
    properties: Body
    computed: Call | None = None

    @property
    def place(self) -> Place:
        """Where it stands."""
        return self.envelope.place

    def done(self) -> None:
        """Refuse what is not accounted for, in the resource and in its properties."""
        self.properties.done()
        self.envelope.done()


def read(path: Path) -> tuple[list[Resource], Body]:
    """Read the predicted resources and the outputs of a snapshot file.

    Raises `DeploymentError`.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise Place(path).refuse(f"cannot be read: {error.strerror}") from None
    return read_bytes(content, path)


def read_bytes(content: bytes, path: Path) -> tuple[list[Resource], Body]:
    """Read what stands in a snapshot file, as `read` does; `path` is how errors call it."""
    place = Place(path)
    try:
        document = json.loads(content)
    except (ValueError, RecursionError):
        raise place.refuse("is not JSON") from None
    snapshot = Body(document, place)
    for diagnostic in snapshot.bodies("diagnostics"):
        # With a diagnostic the compiler may have left resources out of its prediction.
        raise diagnostic.place.refuse(f"{diagnostic.text('code', 'a diagnostic')} is not settled")
    outputs = snapshot.body("outputs")
    resources = [_resource(body) for body in snapshot.bodies("predictedResources")]
    snapshot.done()
    return resources, outputs


def _resource(envelope: Body) -> Resource:
    given = envelope.expression("id")
    computed = given if isinstance(given, Call) and given.name != "guid" else None
    resource_id = "{}/providers/{}/…".format(*computed.arguments) if computed else str(given)
    if not resource_id.startswith("/"):
        raise (envelope.place / "id").refuse("must be a resource id")
    envelope.place = Place(envelope.place.file, resource_id)
    kind = envelope.text("type")
    version = envelope.text("apiVersion", "")
    location = envelope.text("location", "")
    envelope.ignore("name", "tags", "dependsOn")
    properties = envelope.body("properties")
    return Resource(resource_id, kind, version, location, envelope, properties, computed)
