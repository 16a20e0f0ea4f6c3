"""The built-in roles that deployments may assign, with their data actions.

Source: "Azure built-in roles" of the Azure role-based access control documentation, read in
November 2026: every role with data actions of Key Vault and Service Bus, and those without any
that deployments of these services often assign. What a role permits in the management plane has no
effect on a data plane and is left out: an Owner neither reads a secret nor receives a message.
"""

from __future__ import annotations

from collections.abc import Mapping

from local.deployment.resources import RoleDefinition

_KEYS = "Microsoft.KeyVault/vaults/keys"
_SECRETS = "Microsoft.KeyVault/vaults/secrets"
_CERTIFICATES = "Microsoft.KeyVault/vaults/certificates"
_BLOBS = "Microsoft.Storage/storageAccounts/blobServices/containers/blobs"

_BUILT_IN: tuple[tuple[str, str, tuple[str, ...]], ...] = (
    (
        "00482a5a-887f-4fb3-b363-3b7fe8e74483",
        "Key Vault Administrator",
        ("Microsoft.KeyVault/vaults/*",),
    ),
    (
        "21090545-7ca7-4776-b22c-e363652d74d2",
        "Key Vault Reader",
        ("Microsoft.KeyVault/vaults/*/read", f"{_SECRETS}/readMetadata/action"),
    ),
    (
        "14b46e9e-c2b7-41b4-b07b-48a6ebf60603",
        "Key Vault Crypto Officer",
        (f"{_KEYS}/*", "Microsoft.KeyVault/vaults/keyrotationpolicies/*"),
    ),
    (
        "12338af0-0e69-4776-bea7-57ae8d297424",
        "Key Vault Crypto User",
        (
            f"{_KEYS}/read",
            f"{_KEYS}/update/action",
            f"{_KEYS}/backup/action",
            f"{_KEYS}/encrypt/action",
            f"{_KEYS}/decrypt/action",
            f"{_KEYS}/wrap/action",
            f"{_KEYS}/unwrap/action",
            f"{_KEYS}/sign/action",
            f"{_KEYS}/verify/action",
        ),
    ),
    (
        "e147488a-f6f5-4113-8e2d-b22465e65bf6",
        "Key Vault Crypto Service Encryption User",
        (f"{_KEYS}/read", f"{_KEYS}/wrap/action", f"{_KEYS}/unwrap/action"),
    ),
    (
        "b86a8fe4-44ce-4948-aee5-eccb2c155cd7",
        "Key Vault Secrets Officer",
        (f"{_SECRETS}/*",),
    ),
    (
        "4633458b-17de-408a-b874-0445c86b69e6",
        "Key Vault Secrets User",
        (f"{_SECRETS}/getSecret/action", f"{_SECRETS}/readMetadata/action"),
    ),
    (
        "a4417e6f-fecd-4de8-b567-7b0420556985",
        "Key Vault Certificates Officer",
        (
            "Microsoft.KeyVault/vaults/certificatecas/*",
            f"{_CERTIFICATES}/*",
            "Microsoft.KeyVault/vaults/certificatecontacts/write",
        ),
    ),
    (
        "db79e9a7-68ee-4b58-9aeb-b90e7c24fcba",
        "Key Vault Certificate User",
        (
            f"{_CERTIFICATES}/read",
            f"{_SECRETS}/getSecret/action",
            f"{_SECRETS}/readMetadata/action",
            f"{_KEYS}/read",
        ),
    ),
    (
        "08bbd89e-9f13-488c-ac41-acfcb10c90ab",
        "Key Vault Crypto Service Release User",
        (f"{_KEYS}/release/action",),
    ),
    (
        "090c5cfd-751d-490a-894a-3ce6f1109419",
        "Azure Service Bus Data Owner",
        ("Microsoft.ServiceBus/*",),
    ),
    (
        "69a216fc-b8fb-44d8-bc22-1f3c2cd27a39",
        "Azure Service Bus Data Sender",
        ("Microsoft.ServiceBus/*/send/action",),
    ),
    (
        "4f6d3b9b-027b-4f4c-9142-0e5a2a2247e0",
        "Azure Service Bus Data Receiver",
        ("Microsoft.ServiceBus/*/receive/action",),
    ),
    (
        "b7e6dc6d-f1e8-4753-8033-0f276bb0955b",
        "Storage Blob Data Owner",
        (f"{_BLOBS}/*",),
    ),
    (
        "ba92f5b4-2d11-453d-a403-e96b0029c9fe",
        "Storage Blob Data Contributor",
        (
            f"{_BLOBS}/delete",
            f"{_BLOBS}/read",
            f"{_BLOBS}/write",
            f"{_BLOBS}/move/action",
            f"{_BLOBS}/add/action",
        ),
    ),
    (
        "3913510d-42f4-4e42-8a64-420c390055eb",
        "Monitoring Metrics Publisher",
        ("Microsoft.Insights/Metrics/Write", "Microsoft.Insights/Telemetry/Write"),
    ),
)
# Nothing on the data of vaults and queues. Those of storage and registries have data actions there.
_WITHOUT_EFFECT = (
    ("8e3af657-a8ff-443c-a75c-2fe8c4bcb635", "Owner"),
    ("b24988ac-6180-42a0-ab88-20f7382dd24c", "Contributor"),
    ("acdd72a7-3385-48ef-bd42-f606fba81ae7", "Reader"),
    ("f58310d9-a9f6-439a-9e8d-f62e7b41a168", "Role Based Access Control Administrator"),
    ("18d7d88d-d35e-4fb5-a5c3-7773c20a72d9", "User Access Administrator"),
    ("f25e0fa2-a7c8-4377-a976-54943a77a395", "Key Vault Contributor"),
    ("8b54135c-b56d-4d72-a534-26097cfdc8d8", "Key Vault Data Access Administrator"),
    ("f1a07417-d97a-45cb-824c-7a7467783830", "Managed Identity Operator"),
    ("e40ec5ca-96e0-45a2-b4ff-59039f2c2b59", "Managed Identity Contributor"),
    ("de139f84-1756-47ae-9be6-808fbbe84772", "Website Contributor"),
    ("17d1049b-9a84-46fb-8f53-869881c3d3ab", "Storage Account Contributor"),
    ("2a2b9908-6ea1-4ae2-8e65-a410df84e7d1", "Storage Blob Data Reader"),
    ("974c5e8b-45b9-4653-ba55-5f855dd0fb88", "Storage Queue Data Contributor"),
    ("0a9a7e1f-b9d0-4cc4-a60d-0319b160aaa3", "Storage Table Data Contributor"),
    ("7f951dda-4ed3-4680-a7ca-43fe172d538d", "AcrPull"),
    ("8311e382-0749-4cb8-b61a-304f252e45ec", "AcrPush"),
    ("43d0d8ad-25c7-4714-9337-8ba259a9fe05", "Monitoring Reader"),
    ("749f88d5-cbae-40b8-bcfc-e573ddc772fa", "Monitoring Contributor"),
)


BUILT_IN: Mapping[str, RoleDefinition] = {
    guid: RoleDefinition(
        f"/providers/Microsoft.Authorization/roleDefinitions/{guid}", name, data_actions, ()
    )
    for guid, name, data_actions in (
        *_BUILT_IN,
        *((guid, name, ()) for guid, name in _WITHOUT_EFFECT),
    )
}
