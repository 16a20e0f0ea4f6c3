"""The operations of a vault: their paths, and the right that each requires."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal
from urllib.parse import unquote

from local.key_vault.errors import bad_parameter, no_such_method

Kind = Literal["keys", "secrets"]
_NAME = re.compile(r"[0-9a-zA-Z-]{1,127}", re.ASCII)
_MAX_SEGMENTS = 4


@dataclass(frozen=True)
class Operation:
    """An operation with its data action (roles) and its permission (access policies)."""

    kind: Kind
    name: str
    data_action: str
    permission: str


@dataclass(frozen=True)
class VaultRequest:
    """An operation on an object, or on the vault where `object_name` is None."""

    operation: Operation
    object_name: str | None = None
    version: str | None = None


def _key(name: str, action: str, permission: str) -> Operation:
    return Operation("keys", name, f"Microsoft.KeyVault/vaults/keys/{action}", permission)


def _secret(name: str, action: str, permission: str) -> Operation:
    return Operation("secrets", name, f"Microsoft.KeyVault/vaults/secrets/{action}", permission)


# Source: "Azure permissions for Security", Microsoft.KeyVault, and the access policy permissions
# that the REST reference names with each operation.
_READING = {
    ("keys", "list"): _key("list", "read", "list"),
    ("keys", "versions"): _key("versions", "read", "list"),
    ("keys", "get"): _key("get", "read", "get"),
    ("secrets", "list"): _secret("list", "readMetadata/action", "list"),
    ("secrets", "versions"): _secret("versions", "readMetadata/action", "list"),
    ("secrets", "get"): _secret("get", "getSecret/action", "get"),
}
_SET = _secret("set", "setSecret/action", "set")
_ROTATE = _key("rotate", "rotate/action", "rotate")
_UPDATE = _key("update", "update/action", "update")
_CRYPTO = {
    "encrypt": _key("encrypt", "encrypt/action", "encrypt"),
    "decrypt": _key("decrypt", "decrypt/action", "decrypt"),
    "wrapkey": _key("wrapKey", "wrap/action", "wrapKey"),
    "unwrapkey": _key("unwrapKey", "unwrap/action", "unwrapKey"),
}


def parse(method: str, raw_path: str) -> VaultRequest:
    """Read method and path, percent-encoded as sent. Raises KeyVaultError (400, 405).

    A trailing slash and doubled leading ones are ignored, as Azure does; an empty version, as
    in `/keys/n//encrypt`, is the newest.
    """
    # Decoded after it was split: an encoded slash must not make two segments of one.
    segments = [unquote(segment) for segment in raw_path.strip("/").split("/")]
    if segments[0] not in ("keys", "secrets") or len(segments) > _MAX_SEGMENTS:
        raise no_such_method()
    kind: Kind = "keys" if segments[0] == "keys" else "secrets"
    if len(segments) > 1 and not _NAME.fullmatch(segments[1]):
        raise bad_parameter("The request URI contains an invalid name.")
    if method == "GET":
        return _read(kind, segments[1:])
    if method == "POST" and kind == "keys":
        return _post(segments[1:])
    if method == "PATCH" and kind == "keys" and len(segments) in (2, 3):
        return VaultRequest(_UPDATE, segments[1], (segments[2:] or [""])[0] or None)
    if method == "PUT" and kind == "secrets" and len(segments) == 2:
        return VaultRequest(_SET, segments[1])
    raise no_such_method()


def _read(kind: Kind, rest: list[str]) -> VaultRequest:
    match rest:
        case []:
            return VaultRequest(_READING[kind, "list"])
        case [name]:
            return VaultRequest(_READING[kind, "get"], name)
        case [name, "versions"]:
            return VaultRequest(_READING[kind, "versions"], name)
        case [name, version]:
            return VaultRequest(_READING[kind, "get"], name, version or None)
    raise no_such_method()


def _post(rest: list[str]) -> VaultRequest:
    match rest:
        case [name, "rotate"]:
            return VaultRequest(_ROTATE, name)
        case [name, operation] if operation.lower() in _CRYPTO:
            return VaultRequest(_CRYPTO[operation.lower()], name)
        case [name, version, operation] if operation.lower() in _CRYPTO:
            return VaultRequest(_CRYPTO[operation.lower()], name, version or None)
    raise no_such_method()
