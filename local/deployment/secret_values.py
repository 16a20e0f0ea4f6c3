"""The values of secure parameters, which a snapshot has the names of, put where secrets have them.

They come from beside the snapshot: from a file, or from the sources that it was compiled from.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from local.resource_manager.template import items, members

_SECRET = "microsoft.keyvault/vaults/secrets"  # noqa: S105 - a type
# [parameters('name')], or one member of an object: [parameters('name')['member']]
_PARAMETER = re.compile(
    r"\[parameters\('(?P<name>[^']+)'\)(?:\['(?P<member>[^']+)'\]|\.(?P<property>\w+))?\]"
)


class SecretValuesError(Exception):
    """Values of secure parameters cannot be read or served; the message shows none of them."""


@dataclass(frozen=True)
class CompletedSnapshot:
    """A snapshot with the values; `missing` names the secrets without, each by what it needs."""

    content: bytes = field(repr=False)
    missing: Mapping[str, str] = field(default_factory=dict)


def with_values(content: bytes, parameters: Mapping[str, object]) -> CompletedSnapshot:
    """Put the values of secure parameters into the secrets of a snapshot.

    A snapshot that is malformed stays as it is: the reader of the deployment reports that.
    Raises `SecretValuesError`.
    """
    try:
        document: Any = json.loads(content)
    except (ValueError, RecursionError):
        return CompletedSnapshot(content)
    missing: dict[str, str] = {}
    for resource in items(members(document).get("predictedResources")):
        if str(members(resource).get("type")).lower() != _SECRET:
            continue
        properties = members(resource).get("properties")
        text = members(properties).get("value")
        if not isinstance(properties, dict) or not isinstance(text, str):
            continue
        if not _is_expression(text):
            continue
        name = str(resource.get("name")).rpartition("/")[2]
        value = _value(text, parameters)
        if value is None:
            missing[name] = _needed(text)
        elif _is_expression(value):
            # It could not be told from an expression that the compiler left in its place.
            raise SecretValuesError(f"the value of secret {name} is in brackets: not supported")
        else:
            properties["value"] = value
    return CompletedSnapshot(json.dumps(document).encode(), missing)


def read_values(path: Path) -> Mapping[str, object]:
    """Read values of secure parameters: an object of them by name, or Azure's parameter file.

    Raises `SecretValuesError`.
    """
    try:
        document = json.loads(path.read_bytes())
    except OSError as error:
        raise SecretValuesError(f"{path} cannot be read: {error.strerror}") from None
    except ValueError:
        raise SecretValuesError(f"{path} is not JSON") from None
    wrapped = members(document).get("parameters")
    if isinstance(wrapped, dict):
        document = {name: members(one).get("value") for name, one in wrapped.items()}
    if not isinstance(document, dict):
        raise SecretValuesError(f"{path} must be an object: values by the names of parameters")
    for name, value in document.items():
        if not isinstance(value, str | dict):
            raise SecretValuesError(f"{path}: {name} must be a text, or an object of texts")
    return document


def _is_expression(text: str) -> bool:
    return text.startswith("[") and text.endswith("]")


def _value(text: str, parameters: Mapping[str, object]) -> str | None:
    found = _PARAMETER.fullmatch(text)
    value = parameters.get(found["name"]) if found else None
    if found and (member := found["member"] or found["property"]):
        value = members(value).get(member)
    return value if isinstance(value, str) and value else None


def _needed(text: str) -> str:
    found = _PARAMETER.fullmatch(text)
    return f"the parameter {found['name']}" if found else "what only Azure computes"
