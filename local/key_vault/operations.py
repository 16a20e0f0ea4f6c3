"""The operations of a vault: their paths, and the right that each requires."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal
from urllib.parse import unquote

from local.key_vault.errors import bad_parameter, no_such_operation

Family = Literal["keys", "secrets", "certificates"]
_NAME = re.compile(r"[0-9a-zA-Z-]{1,127}", re.ASCII)
_COLLECTIONS: Mapping[str, tuple[Family, bool]] = {
    "keys": ("keys", False),
    "secrets": ("secrets", False),
    "certificates": ("certificates", False),
    "deletedkeys": ("keys", True),
    "deletedsecrets": ("secrets", True),
    "deletedcertificates": ("certificates", True),
}


@dataclass(frozen=True)
class Operation:
    """An operation with its data action (roles) and its permission (access policies).

    `feature` is what an api-version has to have for it. One that is not `served` is refused after
    its right has been checked.
    """

    kind: Family
    name: str
    data_action: str
    permission: str
    feature: str | None = None
    served: bool = True


@dataclass(frozen=True)
class VaultRequest:
    """An operation on an object, or on the vault where `object_name` is None."""

    operation: Operation
    object_name: str | None = None
    version: str | None = None


def _key(
    name: str, action: str, permission: str | None = None, feature: str | None = None
) -> Operation:
    data_action = f"Microsoft.KeyVault/vaults/keys/{action}"
    return Operation("keys", name, data_action, permission or name, feature)


def _secret(name: str, action: str, permission: str | None = None) -> Operation:
    data_action = f"Microsoft.KeyVault/vaults/secrets/{action}"
    return Operation("secrets", name, data_action, permission or name)


def _policy(name: str, action: str, permission: str) -> Operation:
    data_action = f"Microsoft.KeyVault/vaults/keyrotationpolicies/{action}"
    return Operation("keys", name, data_action, permission, "rotation")


def _absent(name: str, action: str, permission: str, feature: str | None = None) -> Operation:
    data_action = f"Microsoft.KeyVault/vaults/keys/{action}"
    return Operation("keys", name, data_action, permission, feature, served=False)


# Source: "Azure permissions for Security", Microsoft.KeyVault, and the access policy permissions
# that the REST reference names with each operation. What a path can be, by the method: `*` is a
# name, `@` a version, which may be empty.
_LIVE: Mapping[Family, Mapping[str, Operation]] = {
    "keys": {
        "GET": _key("list", "read"),
        "GET *": _key("get", "read"),
        "GET * versions": _key("versions", "read", "list"),
        "GET * rotationpolicy": _policy("getRotationPolicy", "read", "getrotationpolicy"),
        "GET * @": _key("get", "read"),
        "GET * @ attestation": _absent("getAttestation", "read", "get", "attestation"),
        "PUT *": _key("import", "import/action"),
        "PUT * rotationpolicy": _policy("setRotationPolicy", "write", "setrotationpolicy"),
        "PATCH *": _key("update", "update/action"),
        "PATCH * @": _key("update", "update/action"),
        "DELETE *": _key("delete", "delete"),
        "POST restore": _key("restore", "restore/action"),
        "POST * create": _key("create", "create/action"),
        "POST * rotate": _key("rotate", "rotate/action", feature="rotation"),
        "POST * backup": _key("backup", "backup/action"),
        **{
            f"POST {path} {name.lower()}": _key(name, f"{action}/action")
            for path in ("*", "* @")
            for name, action in (
                ("encrypt", "encrypt"),
                ("decrypt", "decrypt"),
                ("sign", "sign"),
                ("verify", "verify"),
                ("wrapKey", "wrap"),
                ("unwrapKey", "unwrap"),
            )
        },
        "POST * release": _absent("release", "release/action", "release", "release"),
        "POST * @ release": _absent("release", "release/action", "release", "release"),
    },
    "secrets": {
        "GET": _secret("list", "readMetadata/action"),
        "GET *": _secret("get", "getSecret/action"),
        "GET * versions": _secret("versions", "readMetadata/action", "list"),
        "GET * @": _secret("get", "getSecret/action"),
        "PUT *": _secret("set", "setSecret/action"),
        "PATCH *": _secret("update", "update/action", "set"),
        "PATCH * @": _secret("update", "update/action", "set"),
        "DELETE *": _secret("delete", "delete"),
        "POST restore": _secret("restore", "restore/action"),
        "POST * backup": _secret("backup", "backup/action"),
    },
    "certificates": {},
}
_DELETED: Mapping[Family, Mapping[str, Operation]] = {
    "keys": {
        "GET": _key("listDeleted", "read", "list"),
        "GET *": _key("getDeleted", "read", "get"),
        "DELETE *": _key("purge", "purge/action"),
        "POST * recover": _key("recover", "recover/action"),
    },
    "secrets": {
        "GET": _secret("listDeleted", "readMetadata/action", "list"),
        "GET *": _secret("getDeleted", "readMetadata/action", "get"),
        "DELETE *": _secret("purge", "purge/action"),
        "POST * recover": _secret("recover", "recover/action"),
    },
    "certificates": {},
}
# Azure has this one at a Managed HSM only, with a data action of that service.
_RANDOM_BYTES = _key("getRandomBytes", "rng/action", "rng", "randomBytes")
# What the right to a request is that no operation is at: the nearest of its method. Whoever has
# no right must not learn from the status what the vault serves.
_NEAREST = {
    "GET": ("read", "get"),
    "HEAD": ("read", "get"),
    "PUT": ("import/action", "import"),
    "POST": ("create/action", "create"),
    "PATCH": ("update/action", "update"),
    "DELETE": ("delete", "delete"),
}
_NEAREST_OF_SECRETS = {
    **dict.fromkeys(("GET", "HEAD"), ("readMetadata/action", "get")),
    **dict.fromkeys(("PUT", "POST"), ("setSecret/action", "set")),
    "PATCH": ("update/action", "set"),
    "DELETE": ("delete", "delete"),
}


def parse(method: str, raw_path: str) -> VaultRequest:
    """Read method and path, percent-encoded as sent. Raises KeyVaultError (400, 405).

    A trailing slash and doubled leading ones are ignored, as Azure does; an empty version, as
    in `/keys/n//encrypt`, is the newest.
    """
    # Decoded after it was split: an encoded slash must not make two segments of one.
    segments = [unquote(segment) for segment in raw_path.strip("/").split("/")]
    if (method, segments) == ("POST", ["rng"]):
        return VaultRequest(_RANDOM_BYTES)
    if segments[0] not in _COLLECTIONS:
        raise no_such_operation()
    kind, is_deleted = _COLLECTIONS[segments[0]]
    rest = segments[1:]
    table = (_DELETED if is_deleted else _LIVE)[kind]
    if " ".join([method, *rest]) == "POST restore" and "POST restore" in table:
        return VaultRequest(table["POST restore"])
    if rest and not _NAME.fullmatch(rest[0]):
        raise bad_parameter("The request URI contains an invalid name.")
    return _match(method, kind, rest, table)


def _match(
    method: str, kind: Family, rest: list[str], table: Mapping[str, Operation]
) -> VaultRequest:
    name = rest[0] if rest else None
    words = [part.lower() for part in rest[1:]]
    # Words first: `versions` is none, though a version can be at its place.
    for pattern, version in (
        (["*", *words], None),
        (["*", "@", *words[1:]], rest[1] if len(rest) > 1 else None),
    ):
        found = table.get(" ".join([method, *(pattern if rest else [])]))
        if found is not None:
            return VaultRequest(found, name, version or None)
    return VaultRequest(_unserved(method, kind), name)


def _unserved(method: str, kind: Family) -> Operation:
    nearest = _NEAREST_OF_SECRETS if kind == "secrets" else _NEAREST
    if method not in nearest:
        raise no_such_operation()
    action, permission = nearest[method]
    data_action = f"Microsoft.KeyVault/vaults/{kind}/{action}"
    return Operation(kind, method, data_action, permission, served=False)
