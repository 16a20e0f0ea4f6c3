"""The JSON bodies of requests to a vault; what is malformed or unknown is Key Vault's error 400.

Source: Azure Key Vault REST API reference, keys and secrets.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

from local.key_vault.errors import KeyVaultError, bad_parameter
from local.key_vault.objects import AttributeChanges
from local.strict_json import DocumentPath, StrictObject

JsonObject = dict[str, Any]

MAX_SECRET = 25_600  # characters of a secret's value, as in Azure
MAX_CONTENT_TYPE = 255  # characters, as in Azure
MAX_TAGS = 15  # as in Azure
MAX_TAG = 256  # characters of a tag's name or value, as in Azure
_LAST_TIME = 2**53  # seconds since 1970


@dataclass(frozen=True)
class SecretChanges:
    """A new version of a secret, or what changes in one; None for what it says nothing of."""

    content_type: str | None
    tags: dict[str, str] | None
    attributes: AttributeChanges
    value: str = field(default="", repr=False)


class RequestObject(StrictObject):
    """An object in a body, whose properties are taken one by one."""

    def optional_text(self, name: str, most: int) -> str | None:
        """Take a string of at most so many characters; None without it."""
        if not self.has(name):
            return None
        text = self.text(name)
        if len(text) > most:
            raise (self.found_at / name).error(f"must have at most {most} characters")
        return text

    def optional_flag(self, name: str) -> bool | None:
        """Take a boolean; None without it."""
        return self.flag(name) if self.has(name) else None

    def optional_number(self, name: str, high: int = _LAST_TIME) -> int | None:
        """Take a whole number; None without it."""
        return self.number(name, high=high) if self.has(name) else None

    def tags(self) -> dict[str, str] | None:
        """Take the tags; None without any property of that name."""
        if not self.has("tags"):
            return None
        body = self.body("tags")
        tags: dict[str, str] = {}
        for name in body.names():
            text = body.optional_text(name, MAX_TAG)
            tags[name] = text or ""
            if len(name) > MAX_TAG:
                raise body.found_at.error(f"must have names of at most {MAX_TAG} characters")
        if len(tags) > MAX_TAGS:
            raise body.found_at.error(f"must be at most {MAX_TAGS}")
        return tags

    def attributes(self, *, exportable: bool = False) -> AttributeChanges:
        """Take the attributes that a request may set; `exportable` for those of a key."""
        body = self.body("attributes")
        found = AttributeChanges(
            enabled=body.optional_flag("enabled"),
            not_before=body.optional_number("nbf"),
            expires=body.optional_number("exp"),
            exportable=body.optional_flag("exportable") if exportable else None,
        )
        if found.exportable:
            # An exportable key leaves the vault by the operation release, which is not served.
            raise (body.found_at / "exportable").error("cannot be true in the local vault")
        body.reject_unread()
        return found

    def refuse(self, name: str, why: str) -> None:
        """Refuse a property that Azure takes and the local vault does not."""
        if self.has(name):
            raise (self.found_at / name).error(why)


def _error(message: str) -> KeyVaultError:
    return bad_parameter(f"Property {message}.")


def parse_object(data: bytes) -> JsonObject:
    """Parse a body. Raises KeyVaultError (400) for anything but a JSON object."""
    try:
        body = json.loads(data)
    except (ValueError, RecursionError):
        raise bad_parameter("The request body is not JSON.") from None
    if not isinstance(body, dict):
        raise bad_parameter("The request body must be a JSON object.")
    return body


def opened(body: JsonObject) -> RequestObject:
    """Return a body to take properties of. All that is wrong with it is KeyVaultError (400)."""
    return RequestObject(body, DocumentPath(_error))


def read_secret(body: JsonObject) -> SecretChanges:
    """Read a secret to be set. Raises KeyVaultError (400); no error repeats a value."""
    request = opened(body)
    value = request.optional_text("value", MAX_SECRET)
    if value is None:
        raise bad_parameter("Property value is missing.")
    changes = _secret_changes(request)
    return SecretChanges(changes.content_type, changes.tags, changes.attributes, value)


def read_secret_update(body: JsonObject) -> SecretChanges:
    """Read an update of a version of a secret. Raises KeyVaultError (400)."""
    return _secret_changes(opened(body))


def _secret_changes(request: RequestObject) -> SecretChanges:
    content_type = request.optional_text("contentType", MAX_CONTENT_TYPE)
    found = SecretChanges(content_type, request.tags(), request.attributes())
    request.reject_unread()
    return found
