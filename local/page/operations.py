"""The operations that the page shows, in the words of access.json, and Azure's data actions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

ObjectKind = Literal["key", "secret", "queue"]

DATA_ACTIONS: Mapping[tuple[ObjectKind, str], str] = {
    ("key", "encrypt"): "Microsoft.KeyVault/vaults/keys/encrypt/action",
    ("key", "decrypt"): "Microsoft.KeyVault/vaults/keys/decrypt/action",
    ("key", "read"): "Microsoft.KeyVault/vaults/keys/read",
    ("key", "rotate"): "Microsoft.KeyVault/vaults/keys/rotate/action",
    ("key", "update"): "Microsoft.KeyVault/vaults/keys/update/action",
    ("secret", "get"): "Microsoft.KeyVault/vaults/secrets/getSecret/action",
    ("secret", "set"): "Microsoft.KeyVault/vaults/secrets/setSecret/action",
    ("secret", "list"): "Microsoft.KeyVault/vaults/secrets/readMetadata/action",
    ("queue", "send"): "Microsoft.ServiceBus/namespaces/messages/send/action",
    ("queue", "receive"): "Microsoft.ServiceBus/namespaces/messages/receive/action",
}
_OPERATIONS = {action.lower(): operation for (_, operation), action in DATA_ACTIONS.items()}


def operation_of(data_action: str | None) -> str:
    """Return the word for a data action; its last part where the page has no word for it."""
    action = (data_action or "sign in").lower()
    known = _OPERATIONS.get(action)
    return known or action.removesuffix("/action").rpartition("/")[2]
