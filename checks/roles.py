"""What a role permits, judged by its patterns and never by its name."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from typing import TypedDict


class Permission(TypedDict, total=False):
    """One block of a role definition; a role permits what any of its blocks permits."""

    actions: list[str]
    notActions: list[str]
    dataActions: list[str]
    notDataActions: list[str]


def _family(prefix: str, operations: str) -> list[str]:
    return [f"{prefix}/{operation}" for operation in operations.split()]


_ON_KEYS = (
    "read delete update/action create/action import/action recover/action restore/action "
    "backup/action purge/action encrypt/action decrypt/action wrap/action unwrap/action "
    "sign/action verify/action release/action rotate/action"
)
_ON_SECRETS = (
    "delete backup/action purge/action update/action recover/action restore/action "
    "readMetadata/action getSecret/action setSecret/action"
)
_ON_CERTIFICATES = (
    "delete read backup/action purge/action update/action create/action import/action "
    "recover/action restore/action"
)
_ON_STORAGES = (
    "read delete set/action backup/action purge/action regeneratekey/action recover/action "
    "restore/action sas/set/action sas/delete sas/read"
)

DATA_ACTIONS = (
    *_family("Microsoft.KeyVault/vaults/keys", _ON_KEYS),
    *_family("Microsoft.KeyVault/vaults/secrets", _ON_SECRETS),
    *_family("Microsoft.KeyVault/vaults/certificates", _ON_CERTIFICATES),
    *_family("Microsoft.KeyVault/vaults/certificatecas", "delete read write"),
    *_family("Microsoft.KeyVault/vaults/certificatecontacts", "write"),
    *_family("Microsoft.KeyVault/vaults/keyrotationpolicies", "read write"),
    *_family("Microsoft.KeyVault/vaults/storageaccounts", _ON_STORAGES),
    *_family("Microsoft.ServiceBus/namespaces/messages", "send/action receive/action"),
)
"""Every data action of the two services (Azure permissions reference, Security and Integration)."""

BUILT_IN: dict[str, Sequence[Permission]] = {
    # Azure Service Bus Data Sender
    "69a216fc-b8fb-44d8-bc22-1f3c2cd27a39": [
        {
            "actions": [
                "Microsoft.ServiceBus/*/queues/read",
                "Microsoft.ServiceBus/*/topics/read",
                "Microsoft.ServiceBus/*/topics/subscriptions/read",
            ],
            "dataActions": ["Microsoft.ServiceBus/*/send/action"],
        }
    ],
    # Azure Service Bus Data Receiver
    "4f6d3b9b-027b-4f4c-9142-0e5a2a2247e0": [
        {
            "actions": [
                "Microsoft.ServiceBus/*/queues/read",
                "Microsoft.ServiceBus/*/topics/read",
                "Microsoft.ServiceBus/*/topics/subscriptions/read",
            ],
            "dataActions": ["Microsoft.ServiceBus/*/receive/action"],
        }
    ],
    # Storage Blob Data Contributor
    "ba92f5b4-2d11-453d-a403-e96b0029c9fe": [
        {
            "actions": [
                "Microsoft.Storage/storageAccounts/blobServices/containers/delete",
                "Microsoft.Storage/storageAccounts/blobServices/containers/read",
                "Microsoft.Storage/storageAccounts/blobServices/containers/write",
                "Microsoft.Storage/storageAccounts/blobServices/generateUserDelegationKey/action",
            ],
            "dataActions": [
                "Microsoft.Storage/storageAccounts/blobServices/containers/blobs/delete",
                "Microsoft.Storage/storageAccounts/blobServices/containers/blobs/read",
                "Microsoft.Storage/storageAccounts/blobServices/containers/blobs/write",
                "Microsoft.Storage/storageAccounts/blobServices/containers/blobs/move/action",
                "Microsoft.Storage/storageAccounts/blobServices/containers/blobs/add/action",
            ],
        }
    ],
    # Storage Blob Data Owner
    "b7e6dc6d-f1e8-4753-8033-0f276bb0955b": [
        {
            "actions": [
                "Microsoft.Storage/storageAccounts/blobServices/containers/*",
                "Microsoft.Storage/storageAccounts/blobServices/generateUserDelegationKey/action",
            ],
            "dataActions": ["Microsoft.Storage/storageAccounts/blobServices/containers/blobs/*"],
        }
    ],
    # Monitoring Metrics Publisher
    "3913510d-42f4-4e42-8a64-420c390055eb": [
        {
            "actions": [
                "Microsoft.Insights/Register/Action",
                "Microsoft.Support/*",
                "Microsoft.Resources/subscriptions/resourceGroups/read",
            ],
            "dataActions": [
                "Microsoft.Insights/Metrics/Write",
                "Microsoft.Insights/Telemetry/Write",
            ],
        }
    ],
}
"""Roles that Azure brings along, by their id, as far as they are in use (Azure built-in roles)."""

KEY_ACTIONS = {"rotate": "rotate/action", "update": "update/action", "read": "read"}
"""What an operator's operations with a key are called as data actions."""

SEE_QUEUES = ("Microsoft.ServiceBus/namespaces/queues/read (control plane)",)
"""What seeing a queue's length takes, at the namespace (Particular/ServiceControl 3406)."""

_BLOB_SERVICES = "Microsoft.Storage/storageAccounts/blobServices"
OWN_BLOBS = (
    f"{_BLOB_SERVICES}/containers/* (control plane)",
    f"{_BLOB_SERVICES}/generateUserDelegationKey/action (control plane)",
    f"{_BLOB_SERVICES}/containers/blobs/*",
)
"""What owning the blobs of an account amounts to."""

STORE_PACKAGES = (
    f"{_BLOB_SERVICES}/containers/delete (control plane)",
    f"{_BLOB_SERVICES}/containers/read (control plane)",
    f"{_BLOB_SERVICES}/containers/write (control plane)",
    f"{_BLOB_SERVICES}/generateUserDelegationKey/action (control plane)",
    f"{_BLOB_SERVICES}/containers/blobs/delete",
    f"{_BLOB_SERVICES}/containers/blobs/read",
    f"{_BLOB_SERVICES}/containers/blobs/write",
    f"{_BLOB_SERVICES}/containers/blobs/move/action",
    f"{_BLOB_SERVICES}/containers/blobs/add/action",
)
"""What storing packages in a container amounts to."""

SEND_TELEMETRY = (
    "Microsoft.Insights/Register/Action (control plane)",
    "Microsoft.Support/* (control plane)",
    "Microsoft.Resources/subscriptions/resourceGroups/read (control plane)",
    "Microsoft.Insights/Metrics/Write",
    "Microsoft.Insights/Telemetry/Write",
)
"""What sending telemetry amounts to; at a component, the actions beside it reach nothing."""

# They show a queue's properties and counts, never a message, and come with the roles above.
_HARMLESS = frozenset(
    {
        "microsoft.servicebus/*/queues/read",
        "microsoft.servicebus/*/topics/read",
        "microsoft.servicebus/*/topics/subscriptions/read",
    }
)


def permitted(permissions: Iterable[Permission]) -> frozenset[str]:
    """Return every action that a role with these blocks permits.

    Known data actions are written as in `DATA_ACTIONS`. A pattern that fits none of them, and an
    action of the control plane, which could change who may do what, are returned as the role has
    them, so that a comparison with what is declared names them.
    """
    return frozenset(
        action for block in permissions for part in (_data, _control) for action in part(block)
    )


def _data(block: Permission) -> Iterator[str]:
    excluded = block.get("notDataActions", [])
    for pattern in block.get("dataActions", []):
        fitting = [action for action in DATA_ACTIONS if fits(action, pattern)]
        yield from (a for a in fitting if not any(fits(a, other) for other in excluded))
        if not fitting:
            yield pattern


def _control(block: Permission) -> Iterator[str]:
    """Pass over `notActions`: whatever they leave of a wider pattern is still too much."""
    for pattern in block.get("actions", []):
        if pattern.lower() not in _HARMLESS:
            yield f"{pattern} (control plane)"


@cache  # the same few patterns are held against the same actions thousands of times
def fits(action: str, pattern: str) -> bool:
    """Return whether an action matches a pattern, where `*` is anything, `/` included."""
    parts = (re.escape(part) for part in pattern.split("*"))
    return re.fullmatch(".*".join(parts), action, re.IGNORECASE) is not None
