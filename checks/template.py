"""What no snapshot shows of the compiled `main.bicep`: parameters, outputs of modules, secrets.

A snapshot is evaluated with parameters of its own, so that it has no defaults; it leaves out what a
module returns, which the history of deployments keeps for whoever may read it; and it has a secure
parameter's name where a deployment has the value.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from checks.properties import Judge, line
from checks.property_rules import (
    OUTPUTS,
    PARAMETERS,
    PropertyRule,
    parameter_rules,
    parse_rules,
    read_table,
)

Template = Mapping[str, Any]
_DEPLOYMENT = "Microsoft.Resources/deployments"
_VARIABLE = re.compile(r"variables\('(\w+)'\)")
_SECURE = ("securestring", "secureobject")


def problems(template: Template, azd: Mapping[str, Any]) -> Iterator[str]:
    """Name each parameter, output of a module and use of a secret that no table allows.

    `template` is what the compiler makes of `main.bicep`, `azd` is `main.parameters.json`.
    """
    definitions = {
        name: {key: value for key, value in one.items() if key != "metadata"}
        for name, one in template["parameters"].items()
    }
    values = {name: one.get("value", one) for name, one in azd["parameters"].items()}
    yield from _judged("main.bicep parameter", parameter_rules("definition"), definitions)
    yield from _judged("main.parameters.json", parameter_rules("azd"), values)
    returned = dict(_returned(template))
    modules = parse_rules(OUTPUTS, read_table(OUTPUTS)["modules"], whole=True)
    yield from _judged("output of module", modules, returned, OUTPUTS)
    uses = dict(_uses(template, ""))
    yield from (
        f"module parameter {path}: takes a secret and is not secure: mark it with @secure()"
        for path, (secure, _) in uses.items()
        if not secure
    )
    secrets = parse_rules(PARAMETERS, read_table(PARAMETERS)["secure"], whole=True)
    found = {path: value for path, (_, value) in uses.items()}
    yield from _judged("secret in", secrets, found)


def _judged(
    here: str, rules: Iterable[PropertyRule], content: Mapping[str, Any], file: str = PARAMETERS
) -> Iterator[str]:
    for path, value, text in Judge(rules, {}).judge(content):
        yield line(here, path, value, text, f"checks/allowed/{file}")


def _modules(template: Template, path: str) -> Iterator[tuple[str, Mapping[str, Any], Template]]:
    for symbol, resource in template["resources"].items():
        if resource.get("type") == _DEPLOYMENT:
            given = resource["properties"]
            yield f"{path}{symbol}", given.get("parameters", {}), given["template"]


def _returned(template: Template, path: str = "") -> Iterator[tuple[str, Any]]:
    for name, _, inner in _modules(template, path):
        for output, one in inner.get("outputs", {}).items():
            yield f"{name}.{output}", one.get("value", one)
        yield from _returned(inner, f"{name}.")


def _uses(
    template: Template, path: str, secret: frozenset[str] = frozenset()
) -> Iterator[tuple[str, tuple[bool, Any]]]:
    """Yield each variable and parameter of a module that a secret is in, and whether it is secure.

    A variable is never kept, so it is as secure as it has to be. What stands in the same value as
    a secret, such as the host that it is sent to, is yielded as well.
    """
    tainted = {f"parameters('{name}')" for name in secret}
    for name, one in template.get("parameters", {}).items():
        if str(one.get("type", "")).lower() in _SECURE:
            tainted.add(f"parameters('{name}')")
    variables = template.get("variables", {})
    while more := [
        name
        for name, value in variables.items()
        if f"variables('{name}')" not in tainted and _has(value, tainted)
    ]:
        tainted.update(f"variables('{name}')" for name in more)
    beside: set[str] = set()
    for name, given, inner in _modules(template, path):
        taken = {one for one, value in given.items() if _has(value, tainted)}
        for one in sorted(taken):
            kind = str(inner["parameters"][one].get("type", "")).lower()
            value = given[one].get("value", given[one])
            beside.update(_VARIABLE.findall(json.dumps(value)))
            yield f"{name}.{one}", (kind in _SECURE, value)
        yield from _uses(inner, f"{name}.", frozenset(taken))
    for name, value in variables.items():
        if name in beside or f"variables('{name}')" in tainted:
            yield f"{path}variables.{name}", (True, value)


def _has(value: object, names: set[str]) -> bool:
    text = re.sub(r"\s", "", json.dumps(value))
    return any(name in text for name in names)
