"""What a compiled template makes only where it is not there yet, which no snapshot shows."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from checks.resource_types import KEY, SECRET


def departures(template: dict[str, Any]) -> Iterator[str]:
    """Name keys, and secrets that operators set, that each deployment would create again.

    `template` is what the compiler makes of `main.bicep`. A secret whose value is a parameter is
    there to be written each time. Source: `@onlyIfNotExists()` becomes a member of `@options`.
    """
    for symbol, resource in _resources(template):
        if resource["type"] not in (KEY, SECRET) or resource.get("existing"):
            continue
        value = resource["properties"].get("value", "")
        written = resource["type"] == SECRET and str(value).startswith("[parameters(")
        once = "onlyIfNotExists" in resource.get("@options", {})
        if not (once or written):
            yield f"{symbol} ({resource['type']}) lacks @onlyIfNotExists()"
        if once and written:
            yield f"{symbol} ({resource['type']}) has @onlyIfNotExists() and a value to be written"


def _resources(template: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for symbol, resource in template["resources"].items():
        yield symbol, resource
        if resource["type"] == "Microsoft.Resources/deployments":
            yield from _resources(resource["properties"]["template"])
