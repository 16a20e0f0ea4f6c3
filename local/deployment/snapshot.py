"""A Bicep snapshot as JSON objects of which every property has to be accounted for."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path

from local.deployment.expressions import Expression, FunctionCall, UnknownExpressionError, parse
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
class Location:
    """Where in a snapshot something stands."""

    file: Path
    resource: str = ""
    path: str = ""

    def __truediv__(self, name: str | int) -> Location:
        step = f"[{name}]" if isinstance(name, int) else f".{name}" if self.path else name
        return replace(self, path=self.path + step)

    def error(self, why: str) -> DeploymentError:
        """Return the error that names this place."""
        return DeploymentError(self.file, self.resource, self.path, why)


class StrictObject:
    """A JSON object that is read to its last property: `reject_unread` refuses the rest.

    A property that is null counts as absent, as it does in a deployment.
    """

    def __init__(self, value: object, found_at: Location) -> None:
        if not isinstance(value, dict):
            raise found_at.error("must be an object")
        self.found_at = found_at
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

    def reject_unread(self) -> None:
        """Refuse the first property that is not accounted for."""
        for name in self._left:
            raise (self.found_at / name).error("is a property that the local cloud cannot honour")

    def text(self, name: str, default: str | None = None) -> str:
        """Take a literal string."""
        return _literal(self._take(name, default), self.found_at / name)

    def value(self, name: str, default: str | None = None) -> str | Reference:
        """Take a string, which may be a reference."""
        return _value(self._take(name, default), self.found_at / name)

    def expression(self, name: str) -> Expression:
        """Take a string, which may be any known expression."""
        return _expression(self._take(name, None), self.found_at / name)

    def choice(self, name: str, allowed: tuple[str, ...], default: str | None = None) -> str:
        """Take one of the allowed strings, without regard to case, as it is spelt there."""
        text = self.text(name, default)
        for known in allowed:
            if known.lower() == text.lower():
                return known
        raise (self.found_at / name).error(f"{text!r} is not one of {', '.join(allowed)}")

    def flag(self, name: str, *, default: bool) -> bool:
        """Take a boolean."""
        value = self._take(name, default)
        if not isinstance(value, bool):
            raise (self.found_at / name).error("must be true or false")
        return value

    def only(self, name: str, allowed: object, why: str) -> None:
        """Account for a property that may be absent or have one value only."""
        if name in self._left and self._left.pop(name) != allowed:
            raise (self.found_at / name).error(why)

    def number(self, name: str, default: int, low: int = 0, high: int = 2**31 - 1) -> int:
        """Take a whole number within limits."""
        value = self._take(name, default)
        if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
            raise (self.found_at / name).error(f"must be a whole number from {low} to {high}")
        return value

    def duration(self, name: str, default: timedelta | None) -> timedelta | None:
        """Take a duration; None is "never"."""
        if name not in self._left:
            return default
        try:
            return durations.parse(self.text(name))
        except ValueError as error:
            raise (self.found_at / name).error(str(error)) from None

    def body(self, name: str) -> StrictObject:
        """Take an object; an absent one is empty."""
        return StrictObject(self._take(name, {}), self.found_at / name)

    def bodies(self, name: str) -> list[StrictObject]:
        """Take an array of objects."""
        at = self.found_at / name
        return [StrictObject(item, at / i) for i, item in enumerate(self._array(name))]

    def texts(self, name: str, default: tuple[str, ...] = ()) -> tuple[str, ...]:
        """Take an array of literal strings."""
        if name not in self._left:
            return default
        at = self.found_at / name
        return tuple(_literal(item, at / i) for i, item in enumerate(self._array(name)))

    def _array(self, name: str) -> list[object]:
        items = self._take(name, [])
        if not isinstance(items, list):
            raise (self.found_at / name).error("must be an array")
        return items

    def _take(self, name: str, default: object) -> object:
        value = self._left.pop(name, default)
        if value is None:
            raise (self.found_at / name).error("is missing")
        return value


def _expression(item: object, place: Location) -> Expression:
    if not isinstance(item, str):
        raise place.error("must be a string")
    try:
        return parse(item)
    except UnknownExpressionError as error:
        raise place.error(str(error)) from None


def _value(item: object, place: Location) -> str | Reference:
    value = _expression(item, place)
    if isinstance(value, FunctionCall):
        raise place.error(f"{value.name} is not evaluated here")
    return value


def _literal(item: object, place: Location) -> str:
    value = _value(item, place)
    if not isinstance(value, str):
        raise place.error("must be a literal, not an expression")
    return value


@dataclass(frozen=True)
class PredictedResource:
    """One predicted resource: `properties` apart from the `envelope` around it.

    Where the id is `computed` from what is known at run time only, `id` has … for its last part.
    """

    id: str
    type: str
    api_version: str
    location: str
    envelope: StrictObject
    properties: StrictObject
    computed: FunctionCall | None = None

    @property
    def found_at(self) -> Location:
        """Where it stands."""
        return self.envelope.found_at

    def reject_unread(self) -> None:
        """Refuse what is not accounted for, in the resource and in its properties."""
        self.properties.reject_unread()
        self.envelope.reject_unread()


def read(path: Path) -> tuple[list[PredictedResource], StrictObject]:
    """Read the predicted resources and the outputs of a snapshot file.

    Raises `DeploymentError`.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise Location(path).error(f"cannot be read: {error.strerror}") from None
    return read_bytes(content, path)


def read_bytes(content: bytes, path: Path) -> tuple[list[PredictedResource], StrictObject]:
    """Read what stands in a snapshot file, as `read` does; `path` is how errors call it."""
    place = Location(path)
    try:
        document = json.loads(content)
    except (ValueError, RecursionError):
        raise place.error("is not JSON") from None
    snapshot = StrictObject(document, place)
    for diagnostic in snapshot.bodies("diagnostics"):
        # With a diagnostic the compiler may have left resources out of its prediction.
        raise diagnostic.found_at.error(f"{diagnostic.text('code', 'a diagnostic')} is not settled")
    outputs = snapshot.body("outputs")
    resources = [_resource(body) for body in snapshot.bodies("predictedResources")]
    snapshot.reject_unread()
    return resources, outputs


def _resource(envelope: StrictObject) -> PredictedResource:
    given = envelope.expression("id")
    computed = given if isinstance(given, FunctionCall) and given.name != "guid" else None
    resource_id = "{}/providers/{}/…".format(*computed.arguments) if computed else str(given)
    if not resource_id.startswith("/"):
        raise (envelope.found_at / "id").error("must be a resource id")
    envelope.found_at = Location(envelope.found_at.file, resource_id)
    kind = envelope.text("type")
    version = envelope.text("apiVersion", "")
    location = envelope.text("location", "")
    envelope.ignore("name", "tags", "dependsOn")
    properties = envelope.body("properties")
    return PredictedResource(resource_id, kind, version, location, envelope, properties, computed)
