"""Whether every property that is deployed has a value that the tables of `allowed/` give."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from checks.declaration import Access
from checks.facts import of_deployment, of_resources
from checks.machines import asked_for
from checks.property_rules import (
    ITEM,
    OUTPUTS,
    AllowedType,
    Facts,
    Path_,
    PropertyRule,
    filled,
    filled_pattern,
    holds,
    load,
    output_rules,
)
from checks.redaction import cut, shown
from checks.snapshot import PredictedResource, Snapshot

_MISSING = object()


def unexplained(access: Access, snapshot: Snapshot, parameters: Mapping[str, Any]) -> Iterator[str]:
    """Name each resource, property and output that no table allows, and each that is missing.

    `parameters` are the values that the deployment was evaluated with. Raises `TableError`.
    """
    allowed = Allowed(asked_for(access, snapshot), parameters)
    there = Counter((one["type"], one["name"]) for one in snapshot["predictedResources"])
    for (kind, name), count in there.items():
        if count > 1:
            yield f"{kind} {name}: is deployed {count} times"
    for resource in snapshot["predictedResources"]:
        yield from allowed.unexplained(resource)
    yield from allowed.missing(there)
    yield from allowed.outputs(snapshot["outputs"])


class Allowed:
    """What the tables allow in a deployment of a declaration with given parameters."""

    def __init__(self, access: Access, parameters: Mapping[str, Any]) -> None:
        self._tables = load()
        self._facts = of_deployment(access, parameters)
        self._expected = {
            kind: of_resources(table, access, self._facts) for kind, table in self._tables.items()
        }

    def unexplained(self, resource: PredictedResource) -> Iterator[str]:
        """Name what no table allows of a resource, and what it lacks."""
        here = f"{resource['type']} {resource['name']}"
        table = self._tables.get(resource["type"])
        if table is None:
            yield (
                f"{here}: no table allows resources of this type: add one to "
                f"{_file(resource['type'])} with its reasons, or take the resource out"
            )
            return
        facts = self._facts
        if table.resources is None:
            facts = {**facts, "principal": _principal(resource)}
            if not _ends_with_its_name(resource):
                yield f"{here}: id does not end with the name"
        elif resource["name"] in self._expected[table.type]:
            facts, scope = self._expected[table.type][resource["name"]]
            wanted = _id(resource, scope, facts)
            if resource["id"] != wanted:
                yield f"{here}: id is {resource['id']}: it must be {wanted}"
        else:
            yield (
                f"{here}: no resource of this name is expected: "
                f"add it to resources in {_where(table)}, or take it out"
            )
            return
        content = {k: v for k, v in resource.items() if k not in ("id", "type", "name")}
        rules = [rule for rule in table.rules if holds(rule.when, facts)]
        for path, value, text in Judge(rules, facts).judge(content):
            yield line(here, path, value, text, _where(table))

    def missing(self, there: Mapping[tuple[str, str], int]) -> Iterator[str]:
        """Name the resources that must exist and are not among those by type and name."""
        for kind, names in self._expected.items():
            for name in names:
                if (kind, name) not in there:
                    yield f"{kind} {name}: is missing: {_where(self._tables[kind])} expects it"

    def outputs(self, given: Mapping[str, Any]) -> Iterator[str]:
        """Name each output that is not one of the table, or has another value."""
        for path, value, text in Judge(output_rules(), self._facts).judge(given):
            yield line("output", path, value, text, f"checks/allowed/{OUTPUTS}")


def _id(resource: PredictedResource, scope: str | None, facts: Facts) -> str:
    namespace, *kinds = resource["type"].split("/")
    if resource["type"] == "Microsoft.Resources/resourceGroups":
        return str(facts["group"])
    parts = zip(kinds, resource["name"].split("/"), strict=False)
    path = "/".join(f"{kind}/{name}" for kind, name in parts)
    return f"{scope or facts['group']}/providers/{namespace}/{path}"


def _principal(resource: PredictedResource) -> str:
    """Return whether a role is assigned to an identity of the deployment or to somebody outside."""
    principal = str(resource.get("properties", {}).get("principalId"))
    return "identity" if principal.startswith("[") else "operator"


def _ends_with_its_name(resource: PredictedResource) -> bool:
    name = resource["name"]
    end = f", {name[1:-1]})]" if name.startswith("[") else f"/{name}"
    return resource["id"].endswith(end)


def _file(kind: str) -> str:
    return f"checks/allowed/{kind.partition('/')[0]}.json"


def _where(table: AllowedType) -> str:
    return f'"{table.type}" of checks/allowed/{table.file}'


def line(here: str, path: Path_, value: object, text: str, where: str) -> str:
    """Return what is wrong with a value at a path, and in which table that is to be changed."""
    name = "".join(step if step.startswith("[") else f".{step}" for step in path)
    names = [*path, f"{here.partition(' ')[0].rpartition('/')[2]}"] if path[-1] == "value" else path
    found = "is missing" if value is _MISSING else f"is {shown(names, value)}"
    return f"{here}: {name.removeprefix('.')} {found}: {text} ({where})"


Finding_ = tuple[Path_, object, str]


class Judge:
    """Holds a JSON object to rules; yields the path, the value and what is wrong with it."""

    def __init__(self, rules: Iterable[PropertyRule], facts: Facts) -> None:
        self._rules = list(rules)
        self._facts = facts
        self._at: dict[Path_, list[PropertyRule]] = {}
        for rule in self._rules:
            self._at.setdefault(rule.path, []).append(rule)
        self._above = {rule.path[:i] for rule in self._rules for i in range(len(rule.path))}

    def judge(self, content: Mapping[str, Any]) -> Iterator[Finding_]:
        """Yield each value that no rule allows, and each that a rule misses."""
        yield from self._present(content, (), ())
        reported: set[Path_] = set()
        for rule in self._rules:
            if rule.optional:
                continue
            for path in _absent(content, rule.path, ()):
                if path not in reported:
                    reported.add(path)
                    yield path, _MISSING, self._demand(rule)

    def _present(self, value: object, rule_path: Path_, path: Path_) -> Iterator[Finding_]:
        if rules := self._at.get(rule_path):
            yield from self._compared(value, path, rules)
        elif isinstance(value, dict) and (value or rule_path in self._above):
            for name, one in value.items():
                yield from self._present(one, self._step(rule_path, name), (*path, name))
        elif isinstance(value, list) and self._walks(value, (*rule_path, ITEM)):
            for i, one in enumerate(value):
                yield from self._present(one, (*rule_path, ITEM), (*path, f"[{i}]"))
        else:
            yield path, value, "nothing allows it: add it with its reason, or take it out"

    def _walks(self, value: list[Any], items: Path_) -> bool:
        """Return whether a list is looked at element by element: by rules, or to name its parts."""
        return self._knows(items) or any(isinstance(one, dict | list) for one in value)

    def _knows(self, path: Path_) -> bool:
        return path in self._at or path in self._above

    def _step(self, rule_path: Path_, name: str) -> Path_:
        named, any_ = (*rule_path, name), (*rule_path, "*")
        return any_ if self._knows(any_) and not self._knows(named) else named

    def _compared(
        self, value: object, path: Path_, rules: list[PropertyRule]
    ) -> Iterator[Finding_]:
        if any(self._allows(rule, value) for rule in rules):
            return
        wanted = [filled(one, self._facts) for rule in rules for one in rule.values or ()]
        if (
            len(wanted) == 1
            and isinstance(value, dict | list)
            and isinstance(wanted[0], type(value))
        ):
            for inner, found, right in _leaf_differences(value, wanted[0], path):
                must = (
                    "nothing allows it" if right is _MISSING else cut(f"it must be {_json(right)}")
                )
                yield inner, found, f"{must}: {rules[0].reason}"
        else:
            yield path, value, " or ".join(self._demand(rule) for rule in rules)

    def _allows(self, rule: PropertyRule, value: object) -> bool:
        if rule.checked_by is not None:
            return True
        if rule.pattern is not None:
            pattern = filled_pattern(rule.pattern, self._facts)
            return isinstance(value, str) and bool(pattern.fullmatch(value))
        return any(_json(filled(one, self._facts)) == _json(value) for one in rule.values or ())

    def _demand(self, rule: PropertyRule) -> str:
        if rule.values is not None:
            values = [_json(filled(one, self._facts)) for one in rule.values]
            allowed = cut(f"it must be {' or '.join(values)}")
        elif rule.pattern is not None:
            allowed = f"it must fit {filled_pattern(rule.pattern, self._facts).pattern}"
        else:
            allowed = f"{rule.checked_by} compares its value"
        return f"{allowed}: {rule.reason}"


def _absent(value: object, steps: Path_, path: Path_) -> Iterator[Path_]:
    """Yield the places where a path ends early: without the member, or in nothing."""
    if not steps:
        return
    step, *rest = steps
    if step == ITEM:
        for i, one in enumerate(value if isinstance(value, list) else []):
            yield from _absent(one, tuple(rest), (*path, f"[{i}]"))
    elif step == "*":
        for name, one in (value if isinstance(value, dict) else {}).items():
            yield from _absent(one, tuple(rest), (*path, name))
    elif not isinstance(value, dict) or step not in value:
        yield (*path, step)
    else:
        yield from _absent(value[step], tuple(rest), (*path, step))


def _leaf_differences(
    value: object, wanted: object, path: Path_
) -> Iterator[tuple[Path_, object, object]]:
    if isinstance(value, dict) and isinstance(wanted, dict):
        for name in dict.fromkeys((*wanted, *value)):
            yield from _leaf_differences(
                value.get(name, _MISSING), wanted.get(name, _MISSING), (*path, name)
            )
    elif isinstance(value, list) and isinstance(wanted, list):
        for i in range(max(len(value), len(wanted))):
            one = value[i] if i < len(value) else _MISSING
            other = wanted[i] if i < len(wanted) else _MISSING
            yield from _leaf_differences(one, other, (*path, f"[{i}]"))
    elif value is _MISSING or wanted is _MISSING or _json(value) != _json(wanted):
        yield path, value, wanted


def _json(value: object) -> str:
    return json.dumps(value, sort_keys=True, ensure_ascii=False)
