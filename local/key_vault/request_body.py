"""The JSON bodies of requests to a vault; what is malformed is Key Vault's error 400.

Source: Azure Key Vault REST API reference, keys and secrets.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

from local.key_vault.errors import bad_parameter

JsonObject = dict[str, Any]

MAX_SECRET = 25_600  # characters of a secret's value, as in Azure
MAX_TAGS = 15  # as in Azure


@dataclass(frozen=True)
class SecretUpdate:
    """A new version of a secret; `expires` in seconds since 1970."""

    value: str = field(repr=False)
    content_type: str | None
    tags: dict[str, str]
    expires: int | None


def parse_object(data: bytes) -> JsonObject:
    """Parse a body. Raises KeyVaultError (400) for anything but a JSON object."""
    try:
        body = json.loads(data)
    except (ValueError, RecursionError):
        raise bad_parameter("The request body is not JSON.") from None
    if not isinstance(body, dict):
        raise bad_parameter("The request body must be a JSON object.")
    return body


def read_enabled(body: JsonObject) -> bool:
    """Read the update of a key: whether it is enabled. Raises KeyVaultError (400)."""
    attributes = body.get("attributes") or {}
    enabled = attributes.get("enabled") if isinstance(attributes, dict) else None
    if not isinstance(enabled, bool) or any(body.get(part) for part in ("key_ops", "tags")):
        raise bad_parameter("The local vault changes 'attributes.enabled' of a key alone.")
    return enabled


def read_secret(body: JsonObject) -> SecretUpdate:
    """Read a secret to be set. Raises KeyVaultError (400); no error repeats a value."""
    value, content_type = body.get("value"), body.get("contentType")
    if not isinstance(value, str) or len(value) > MAX_SECRET:
        raise bad_parameter(f"Property 'value' must be a text of at most {MAX_SECRET}.")
    if content_type is not None and not isinstance(content_type, str):
        raise bad_parameter("Property 'contentType' must be a text.")
    return SecretUpdate(value, content_type, _tags(body), _expires(body))


def _tags(body: JsonObject) -> dict[str, str]:
    tags = body.get("tags") or {}
    if not isinstance(tags, dict) or len(tags) > MAX_TAGS:
        raise bad_parameter(f"Property 'tags' must be an object of at most {MAX_TAGS}.")
    if not all(isinstance(value, str) for value in tags.values()):
        raise bad_parameter("Property 'tags' must hold texts.")
    return tags


def _expires(body: JsonObject) -> int | None:
    attributes = body.get("attributes") or {}
    expires = attributes.get("exp") if isinstance(attributes, dict) else "?"
    if expires is not None and (isinstance(expires, bool) or not isinstance(expires, int)):
        raise bad_parameter("Property 'attributes.exp' must be a number of seconds since 1970.")
    return expires
