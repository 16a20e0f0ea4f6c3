"""The parts that responses about keys and secrets share, as JSON objects.

Source: Azure Key Vault REST API reference, attributes of keys and secrets, and lists.
"""

from __future__ import annotations

from local.key_vault.store import KeyVersion, SecretVersion

ResponseBody = dict[str, object]


def object_attributes(version: KeyVersion | SecretVersion) -> ResponseBody:
    """Return the attributes and tags that every key and secret has."""
    attributes = {
        "enabled": version.enabled if isinstance(version, KeyVersion) else True,
        "created": version.created,
        "updated": version.created,
        "recoveryLevel": "Recoverable",
        "recoverableDays": 90,
    }
    # Reported and not enforced, as in Azure: an expired secret can still be read.
    if isinstance(version, SecretVersion) and version.expires is not None:
        attributes["exp"] = version.expires
    return {"attributes": attributes, "tags": {}}


def secret_attributes(secret: SecretVersion) -> ResponseBody:
    """Return the attributes, tags and content type of a secret."""
    content_type = {"contentType": secret.content_type} if secret.content_type else {}
    return {**content_type, **object_attributes(secret), "tags": secret.tags}


def page(items: list[ResponseBody]) -> ResponseBody:
    """Return a list that has no next page."""
    return {"value": items, "nextLink": None}


def big_endian(number: int) -> bytes:
    """Encode a number in as few bytes as hold it."""
    return number.to_bytes((number.bit_length() + 7) // 8, "big")
