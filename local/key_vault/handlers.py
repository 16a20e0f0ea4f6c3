"""The handlers of all operations of a vault, by kind and name."""

from __future__ import annotations

from collections.abc import Mapping

from local.deployment.resources import VaultSpec
from local.key_vault.backup_handlers import BackupHandlers
from local.key_vault.calls import Handlers
from local.key_vault.cryptography_handlers import CryptographyHandlers
from local.key_vault.deleted_handlers import deleted_key_handlers, deleted_secret_handlers
from local.key_vault.key_handlers import KeyHandlers
from local.key_vault.operations import Family
from local.key_vault.responses import Responses
from local.key_vault.secret_handlers import SecretHandlers
from local.key_vault.store import VaultStore


def handlers_of(store: VaultStore, uri: str, spec: VaultSpec) -> Mapping[Family, Handlers]:
    """Return the handlers of a vault. `uri` is the vault's, without a slash at its end.

    They raise KeyVaultError, ObjectNotFoundError and NameInUseError.
    """
    responses = Responses(uri, spec)
    backups = BackupHandlers(store, responses)
    return {
        "keys": {
            **KeyHandlers(store, responses, spec).by_name,
            **CryptographyHandlers(store, responses).by_name,
            **deleted_key_handlers(store, responses, spec),
            **backups.of_keys,
        },
        "secrets": {
            **SecretHandlers(store, responses).by_name,
            **deleted_secret_handlers(store, responses, spec),
            **backups.of_secrets,
        },
    }
