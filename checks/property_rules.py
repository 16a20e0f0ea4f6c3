"""What may be deployed, property by property: the tables of `checks/allowed/`, parsed.

Each file there is a JSON object by resource type. A type has

- `also`: names of groups of properties in `common.json` that it shares with other types;
- `resources`: which resources of the type there are: `name`, `each` (one for each vault, app, …),
  `when` (facts of the deployment), `scope` (where an extension resource lies), and `with`, facts
  that the properties below refer to;
- `properties`: by path, such as `properties.logs[].enabled`, one rule or a list of rules.

A rule has a `reason` and one of `values` (JSON values that are allowed), `pattern` (a regular
expression that a whole text fits) and `checked_by` (another check that compares the value). It may
have `when` (only for deployments or resources of these facts) and `optional`. `{name}` in a value
or pattern stands for a fact (`checks/facts.py`). A rule at a path covers everything below it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).with_name("allowed")
COMMON = "common.json"
OUTPUTS = "outputs.json"
PARAMETERS = "parameters.json"

Facts = Mapping[str, Any]
Path_ = tuple[str, ...]
ITEM = "[]"
"""A step of a path into each element of a list; `*` is one into each member of an object."""


class TableError(Exception):
    """A table of `checks/allowed/` is malformed; the message names where."""


@dataclass(frozen=True)
class PropertyRule:
    """The values that a property may have, and why."""

    path: Path_
    reason: str
    values: tuple[Any, ...] | None = None
    pattern: str | None = None
    checked_by: str | None = None
    when: Facts = field(default_factory=dict)
    optional: bool = False


@dataclass(frozen=True)
class ExpectedResource:
    """A resource, or one for each of several, that a deployment has of a type."""

    name: str
    each: str | None = None
    when: Facts = field(default_factory=dict)
    scope: str | None = None
    facts: Facts = field(default_factory=dict)


@dataclass(frozen=True)
class AllowedType:
    """What is allowed of one resource type; `resources` is None where other checks name them."""

    type: str
    file: str
    resources: tuple[ExpectedResource, ...] | None
    rules: tuple[PropertyRule, ...]


@cache
def load(folder: Path = FOLDER) -> dict[str, AllowedType]:
    """Read the tables, by resource type. Raises `TableError`."""
    common = _read(folder / COMMON)
    found: dict[str, AllowedType] = {}
    for file in sorted(folder.glob("Microsoft.*.json")):
        for kind, table in _read(file).items():
            if kind in found:
                raise TableError(f"{file.name}: {kind} is in {found[kind].file} already")
            found[kind] = _type(kind, file.name, table, common)
    return found


def output_rules() -> tuple[PropertyRule, ...]:
    """Read the rules of the outputs of `main.bicep`. Raises `TableError`."""
    return parse_rules(OUTPUTS, read_table(OUTPUTS)["outputs"])


def parameter_rules(member: str) -> tuple[PropertyRule, ...]:
    """Read the rules of parameters: of their `definition`, or of what azd passes."""
    table = {
        name: {"values": [one[member]], "reason": one.get("reason")}
        for name, one in read_table(PARAMETERS)["parameters"].items()
        if member in one
    }
    return parse_rules(PARAMETERS, table, whole=True)


@cache
def read_table(name: str) -> dict[str, Any]:
    """Read a file of `checks/allowed/`. Raises `TableError`."""
    return _read(FOLDER / name)


def _read(file: Path) -> dict[str, Any]:
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise TableError(f"{file.name}: {error}") from error
    if not isinstance(content, dict):
        raise TableError(f"{file.name}: is not an object")
    return content


def _type(kind: str, file: str, table: dict[str, Any], common: dict[str, Any]) -> AllowedType:
    where = f"{file}: {kind}"
    _only(where, table, {"also", "resources", "properties"})
    properties: dict[str, Any] = {}
    for group in table.get("also", []):
        if group not in common:
            raise TableError(f"{where}: {COMMON} has no group {group}")
        properties |= common[group]
    properties |= table.get("properties", {})
    listed = table.get("resources")
    resources = None if listed is None else tuple(_resource(where, one) for one in listed)
    return AllowedType(kind, file, resources, parse_rules(where, properties))


def parse_rules(
    where: str, table: Mapping[str, Any], *, whole: bool = False
) -> tuple[PropertyRule, ...]:
    """Read the rules of a table by path, or by name if `whole`. Raises `TableError`."""
    return tuple(
        _rule(f"{where}: {path}", (path,) if whole else steps(path), one)
        for path, given in table.items()
        for one in (given if isinstance(given, list) else [given])
    )


def _rule(where: str, path: Path_, given: Any) -> PropertyRule:
    if not isinstance(given, dict):
        raise TableError(f"{where}: is not a rule")
    _only(where, given, {"values", "pattern", "checked_by", "when", "optional", "reason"})
    if not str(given.get("reason") or "").strip():
        raise TableError(f"{where}: lacks a reason")
    if len({"values", "pattern", "checked_by"} & given.keys()) != 1:
        raise TableError(f"{where}: needs one of values, pattern and checked_by")
    if "values" in given and not (isinstance(given["values"], list) and given["values"]):
        raise TableError(f"{where}: values is not a list of at least one value")
    return PropertyRule(
        path,
        given["reason"],
        tuple(given["values"]) if "values" in given else None,
        given.get("pattern"),
        given.get("checked_by"),
        given.get("when", {}),
        bool(given.get("optional", False)),
    )


def _resource(where: str, given: dict[str, Any]) -> ExpectedResource:
    _only(where, given, {"name", "each", "when", "scope", "with"})
    if "name" not in given:
        raise TableError(f"{where}: a resource lacks its name")
    return ExpectedResource(
        given["name"],
        given.get("each"),
        given.get("when", {}),
        given.get("scope"),
        given.get("with", {}),
    )


def _only(where: str, given: Mapping[str, Any], known: set[str]) -> None:
    if unknown := sorted(set(given) - known):
        raise TableError(f"{where}: does not know {', '.join(unknown)}")


def steps(path: str) -> Path_:
    """Read a path: `properties.logs[].enabled` has the steps properties, logs, [] and enabled."""
    return tuple(path.replace(ITEM, f".{ITEM}").split("."))


_PLACEHOLDER = re.compile(r"\{([a-z_][a-z_.A-Z]*)\}")


def filled(value: Any, facts: Facts) -> Any:
    """Return a value of a table with its placeholders replaced by facts, in all of its parts.

    A text that is one placeholder becomes the fact itself, whatever its type. Raises `TableError`.
    """
    if isinstance(value, dict):
        return {key: filled(one, facts) for key, one in value.items()}
    if isinstance(value, list):
        return [filled(one, facts) for one in value]
    if not isinstance(value, str):
        return value
    if whole := _PLACEHOLDER.fullmatch(value):
        return _fact(whole[1], facts)
    return _PLACEHOLDER.sub(lambda found: str(_fact(found[1], facts)), value)


def filled_pattern(pattern: str, facts: Facts) -> re.Pattern[str]:
    """Return a pattern of a table with its placeholders replaced by facts, taken literally."""
    return re.compile(_PLACEHOLDER.sub(lambda m: re.escape(str(_fact(m[1], facts))), pattern))


def _fact(name: str, facts: Facts) -> Any:
    if name not in facts:
        raise TableError(f"no fact has the name {name}: there are {', '.join(sorted(facts))}")
    return facts[name]


def holds(when: Facts, facts: Facts) -> bool:
    """Return whether a condition of a table holds: each fact has the value, or one of a list."""
    return all(
        facts.get(name) in wanted if isinstance(wanted, list) else facts.get(name) == wanted
        for name, wanted in when.items()
    )
