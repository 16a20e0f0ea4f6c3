"""A Bicep snapshot as JSON objects of which every property has to be accounted for."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Self

from local import strict_json
from local.resource_manager import durations
from local.resource_manager.expressions import (
    Expression,
    FunctionCall,
    Reference,
    UnknownExpressionError,
    parse,
)
from local.strict_json import StrictObject, extended


class DeploymentError(Exception):
    """A snapshot that the local cloud does not support; names the file, resource and property."""

    def __init__(self, file: Path, resource: str, path: str, why: str) -> None:
        super().__init__(f"{file}: {resource or 'the snapshot'}: {path or 'the whole'}: {why}")
        self.file = file
        self.resource = resource
        self.path = path
        self.why = why


@dataclass(frozen=True)
class SnapshotLocation:
    """A place in a snapshot."""

    file: Path
    resource: str = ""
    path: str = ""

    def __truediv__(self, step: str | int) -> Self:
        return replace(self, path=extended(self.path, step))

    def error(self, why: str) -> DeploymentError:
        """Return the error that names this place."""
        return DeploymentError(self.file, self.resource, self.path, why)


class SnapshotObject(StrictObject):
    """An object of a snapshot, whose strings may be expressions and durations of Azure."""

    unread = "is a property that the local cloud does not support"
    found_at: SnapshotLocation

    def value(self, name: str) -> str | Reference:
        """Take a string, which may be a reference."""
        return _value(self.raw(name), self.found_at / name)

    def expression(self, name: str) -> Expression:
        """Take a string, which may be any known expression."""
        return _expression(self.raw(name), self.found_at / name)

    def duration(self, name: str, default: timedelta | None) -> timedelta | None:
        """Take a duration; None is "never"."""
        if not self.has(name):
            return default
        try:
            return durations.parse(self.text(name))
        except ValueError as error:
            raise (self.found_at / name).error(str(error)) from None

    def _string(self, value: object, found_at: strict_json.Location) -> str:
        text = super()._string(value, found_at)
        if not isinstance(_parsed(text, found_at), str):
            raise found_at.error("must be a literal, not an expression")
        return text


def _expression(item: object, found_at: strict_json.Location) -> Expression:
    if not isinstance(item, str):
        raise found_at.error("must be a string")
    return _parsed(item, found_at)


def _parsed(text: str, found_at: strict_json.Location) -> Expression:
    try:
        return parse(text)
    except UnknownExpressionError as error:
        raise found_at.error(str(error)) from None


def _value(item: object, found_at: strict_json.Location) -> str | Reference:
    value = _expression(item, found_at)
    if isinstance(value, FunctionCall):
        raise found_at.error(f"{value.name} is not evaluated here")
    return value


@dataclass(frozen=True)
class SnapshotResource:
    """One predicted resource: `properties` apart from the `envelope` around it.

    Where the id is `computed` from what is known at run time only, `id` has … for its last part.
    """

    id: str
    type: str
    api_version: str
    location: str
    envelope: SnapshotObject
    properties: SnapshotObject
    computed: FunctionCall | None = None
    tags: Mapping[str, str] | None = None

    @property
    def found_at(self) -> SnapshotLocation:
        """Its place in the snapshot."""
        return self.envelope.found_at

    def reject_unread(self) -> None:
        """Refuse what is not accounted for, in the resource and in its properties."""
        self.properties.reject_unread()
        self.envelope.reject_unread()


def read(path: Path) -> tuple[list[SnapshotResource], SnapshotObject]:
    """Read the predicted resources and the outputs of a snapshot file.

    Raises `DeploymentError`.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise SnapshotLocation(path).error(f"cannot be read: {error.strerror}") from None
    return read_bytes(content, path)


def read_bytes(content: bytes, path: Path) -> tuple[list[SnapshotResource], SnapshotObject]:
    """Read the content of a snapshot file, as `read` does; `path` names it in errors."""
    found_at = SnapshotLocation(path)
    try:
        document = json.loads(content)
    except (ValueError, RecursionError):
        raise found_at.error("is not JSON") from None
    snapshot = SnapshotObject(document, found_at)
    for diagnostic in snapshot.bodies("diagnostics"):
        # With a diagnostic the compiler may have left resources out of its prediction.
        raise diagnostic.found_at.error(f"{diagnostic.text('code', 'a diagnostic')} is not settled")
    outputs = snapshot.body("outputs")
    resources = [_resource(body) for body in snapshot.bodies("predictedResources")]
    snapshot.reject_unread()
    return resources, outputs


def _resource(envelope: SnapshotObject) -> SnapshotResource:
    given = envelope.expression("id")
    computed = given if isinstance(given, FunctionCall) and given.name != "guid" else None
    resource_id = "{}/providers/{}/…".format(*computed.arguments) if computed else str(given)
    if not resource_id.startswith("/"):
        raise (envelope.found_at / "id").error("must be a resource id")
    envelope.found_at = SnapshotLocation(envelope.found_at.file, resource_id)
    kind = envelope.text("type")
    version = envelope.text("apiVersion", "")
    location = envelope.text("location", "")
    envelope.ignore("name", "dependsOn")
    tags = None
    if envelope.has("tags"):
        tagged = envelope.body("tags")
        tags = {name: tagged.text(name) for name in tagged.names()}
    properties = envelope.body("properties")
    return SnapshotResource(
        resource_id, kind, version, location, envelope, properties, computed, tags
    )
