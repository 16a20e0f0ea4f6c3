"""The bodies of requests that make or change keys, read to their last property.

Source: Azure Key Vault REST API reference, Create Key, Import Key and Update Key.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from local.deployment.rotation_policy import (
    LifetimeAction,
    RotationPolicy,
    RotationPolicyError,
    check,
)
from local.key_vault import key_types
from local.key_vault.errors import bad_parameter
from local.key_vault.key_types import CURVES, KEY_SIZES, KEY_TYPES, OPERATIONS, PrivateKey, family
from local.key_vault.objects import AttributeChanges
from local.key_vault.request_body import JsonObject, RequestObject, opened

_EXPONENT = 65537
_NO_RELEASE = "is not supported by the local vault, which releases no key"
_PRIVATE_RSA = ("n", "e", "d", "p", "q", "dp", "dq", "qi")
_PRIVATE_EC = ("x", "y", "d")


@dataclass(frozen=True)
class KeyChanges:
    """What a request says of a version of a key; None for what it says nothing of."""

    operations: tuple[str, ...] | None
    tags: dict[str, str] | None
    attributes: AttributeChanges


@dataclass(frozen=True)
class NewKey:
    """A key to be made: `size` is RSA's, `curve` EC's."""

    kty: str
    size: int
    curve: str
    changes: KeyChanges


@dataclass(frozen=True)
class ImportedKey:
    """A key that the client brings."""

    kty: str
    private_key: PrivateKey = field(repr=False)
    changes: KeyChanges


def read_create(body: JsonObject) -> NewKey:
    """Read a key to be made. Raises KeyVaultError (400)."""
    request = opened(body)
    kty = request.choice("kty", KEY_TYPES)
    size, curve = KEY_SIZES[0], "P-256"
    if family(kty) == "RSA":
        size = request.number("key_size", size)
        if size not in KEY_SIZES:
            raise bad_parameter("Property key_size must be 2048, 3072 or 4096.")
        request.only("public_exponent", _EXPONENT, f"must be {_EXPONENT} outside of a Managed HSM")
        request.refuse("crv", "is for keys on a curve")
    else:
        curve = request.choice("crv", tuple(CURVES), curve)
        for name in ("key_size", "public_exponent"):
            request.refuse(name, "is for RSA keys")
    return NewKey(kty, size, curve, _changes(request, kty))


def read_import(body: JsonObject) -> ImportedKey:
    """Read a key to be imported. Raises KeyVaultError (400); no error repeats any part of it."""
    request = opened(body)
    key = request.body("key")
    kty = key.choice("kty", KEY_TYPES)
    if request.optional_flag("Hsm") and not kty.endswith("-HSM"):
        kty = f"{kty}-HSM"
    operations = _operations(key, kty)
    key.refuse("kid", "is given by the vault")
    private_key: PrivateKey
    if family(kty) == "RSA":
        private_key = key_types.from_rsa_members(_members(key, _PRIVATE_RSA))
    else:
        curve = key.choice("crv", tuple(CURVES))
        private_key = key_types.from_ec_members(_members(key, _PRIVATE_EC), curve)
    key.reject_unread()
    changes = _changes(request, kty)
    return ImportedKey(kty, private_key, KeyChanges(operations, changes.tags, changes.attributes))


def read_update(body: JsonObject, kty: str) -> KeyChanges:
    """Read an update of a version of a key of that type. Raises KeyVaultError (400)."""
    return _changes(opened(body), kty)


def read_rotation_policy(body: JsonObject) -> RotationPolicy:
    """Read a rotation policy. Raises KeyVaultError (400)."""
    request = opened(body)
    request.refuse("id", "is given by the vault")
    attributes = request.body("attributes")
    expiry = attributes.optional_text("expiryTime", 20)
    for name in ("created", "updated"):
        attributes.refuse(name, "is given by the vault")
    attributes.reject_unread()
    actions = tuple(_action(one) for one in request.bodies("lifetimeActions"))
    request.reject_unread()
    policy = RotationPolicy(actions, expiry)
    try:
        check(policy)
    except RotationPolicyError as error:
        raise bad_parameter(f"Property {error}.") from None
    return policy


def _action(one: RequestObject) -> LifetimeAction:
    trigger, action = one.body("trigger"), one.body("action")
    found = LifetimeAction(
        action.choice("type", ("Rotate", "Notify")),
        trigger.optional_text("timeAfterCreate", 20),
        trigger.optional_text("timeBeforeExpiry", 20),
    )
    for part in (trigger, action, one):
        part.reject_unread()
    return found


def _changes(request: RequestObject, kty: str) -> KeyChanges:
    operations = _operations(request, kty)
    found = KeyChanges(operations, request.tags(), request.attributes(exportable=True))
    request.refuse("release_policy", _NO_RELEASE)
    request.reject_unread()
    return found


def _operations(request: RequestObject, kty: str) -> tuple[str, ...] | None:
    if not request.has("key_ops"):
        return None
    known = {name.lower(): name for name in OPERATIONS[family(kty)]}
    given = request.texts("key_ops")
    for position, operation in enumerate(given):
        if operation.lower() not in known:
            at = request.found_at / "key_ops" / position
            raise at.error(f"must be one of {', '.join(known.values())} for this type of key")
    return tuple(dict.fromkeys(known[operation.lower()] for operation in given))


def _members(key: RequestObject, names: tuple[str, ...]) -> dict[str, str]:
    return {name: key.text(name) for name in names if key.has(name)}
