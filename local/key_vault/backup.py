"""Backups: an object with all of its versions, encrypted so that only a vault can read it.

Source: "Azure Key Vault backup and restore": a backup cannot be decrypted outside of Azure, and
restores into any vault of the same subscription and geography; here, of the same local cloud.
"""

from __future__ import annotations

import json
import secrets
from dataclasses import asdict

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from local.key_vault import key_types
from local.key_vault.errors import KeyVaultError, bad_parameter
from local.key_vault.key_types import PrivateKey
from local.key_vault.objects import Key, Kind, Secret
from local.key_vault.vault_folder import Json, key_from_json, secret_from_json

_NONCE_BYTES = 12


def of_key(key: Key, material: dict[str, PrivateKey], secret: bytes) -> bytes:
    """Back up a key with `material`, its private keys by version."""
    pem = {version: key_types.to_pem(one).decode("ascii") for version, one in material.items()}
    return _encrypt("keys", {"object": asdict(key), "material": pem}, secret)


def of_secret(one: Secret, secret: bytes) -> bytes:
    """Back up a secret."""
    return _encrypt("secrets", {"object": asdict(one)}, secret)


def key_from(backup: bytes, secret: bytes) -> tuple[Key, dict[str, PrivateKey]]:
    """Read the backup of a key. Raises KeyVaultError (400) for anything else."""
    found = _decrypt("keys", backup, secret)
    material = {
        version: key_types.from_pem(pem.encode()) for version, pem in found["material"].items()
    }
    return key_from_json(found["object"]), material


def secret_from(backup: bytes, secret: bytes) -> Secret:
    """Read the backup of a secret. Raises KeyVaultError (400) for anything else."""
    return secret_from_json(_decrypt("secrets", backup, secret)["object"])


def _encrypt(kind: Kind, content: Json, secret: bytes) -> bytes:
    # Whoever may back up a key must not get its private half by it. A nonce of 96 random bits is
    # safe for as many backups as anybody makes; the kind is authenticated, so that neither kind
    # restores as the other.
    nonce = secrets.token_bytes(_NONCE_BYTES)
    return nonce + AESGCM(secret).encrypt(nonce, json.dumps(content).encode(), kind.encode())


def _decrypt(kind: Kind, backup: bytes, secret: bytes) -> Json:
    nonce, ciphertext = backup[:_NONCE_BYTES], backup[_NONCE_BYTES:]
    try:
        content: Json = json.loads(AESGCM(secret).decrypt(nonce, ciphertext, kind.encode()))
    except (InvalidTag, ValueError):
        raise _corrupt() from None
    return content


def _corrupt() -> KeyVaultError:
    return bad_parameter("Backup blob contains invalid or corrupt version.")
