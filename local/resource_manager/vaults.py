"""What Key Vault refuses of vaults, keys and secrets."""

from __future__ import annotations

import re
from collections.abc import Iterator

from local.resource_manager import durations
from local.resource_manager.property_rules import in_range, never_false, of, one_of, required
from local.resource_manager.refusal import Rule, Violation
from local.resource_manager.template import (
    Resource,
    Template,
    is_expression,
    items,
    member,
)

VAULT = "Microsoft.KeyVault/vaults"
KEY = f"{VAULT}/keys"
SECRET = f"{VAULT}/secrets"

_ROTATION_PAGE = "learn.microsoft.com, Configure cryptographic key auto-rotation in Azure Key Vault"
_KEYS_PAGE = "learn.microsoft.com, Key types, algorithms, and operations"
_VAULTS_PAGE = "learn.microsoft.com, Microsoft.KeyVault vaults, template reference"
_OPERATIONS = {
    "RSA": ("encrypt", "decrypt", "sign", "verify", "wrapKey", "unwrapKey", "import", "release"),
    "EC": ("sign", "verify", "import", "release"),
}
_KEY_TYPES = ("RSA", "RSA-HSM", "EC", "EC-HSM")
_CURVES = ("P-256", "P-384", "P-521", "P-256K")
_MAX_VALUE = 25 * 1024  # bytes


def _sku(template: Template) -> Iterator[Violation]:
    for vault in template.of(VAULT):
        family, name = vault.known("sku.family"), vault.known("sku.name")
        if str(family).upper() != "A" or str(name).lower() not in ("standard", "premium"):
            yield Violation(vault, "sku", "must be of family A, standard or premium")


def _hsm(template: Template) -> Iterator[Violation]:
    for key in template.of(KEY):
        vault = template.get(key.parent)
        hardware = str(key.at("kty")).upper().endswith("-HSM")
        if hardware and vault and str(vault.known("sku.name")).lower() == "standard":
            yield Violation(key, "kty", "a vault of the standard tier has no HSM")


def _size(template: Template) -> Iterator[Violation]:
    for key in template.of(KEY):
        size, curve = key.known("keySize"), key.known("curveName")
        kind = _family(key)
        if kind == "RSA" and size is not None and size not in (2048, 3072, 4096):
            yield Violation(key, "keySize", "must be 2048, 3072 or 4096")
        if kind == "EC" and curve is not None and curve not in _CURVES:
            yield Violation(key, "curveName", f"must be one of {', '.join(_CURVES)}")


def _operations(template: Template) -> Iterator[Violation]:
    for key in template.of(KEY):
        known = _OPERATIONS.get(_family(key), ())
        for position, operation in enumerate(items(key.at("keyOps"))):
            if known and not is_expression(operation) and operation not in known:
                what = f"{_family(key)} keys can {', '.join(known)}"
                yield Violation(key, f"keyOps[{position}]", what)


def _exportable(template: Template) -> Iterator[Violation]:
    for key in template.of(KEY):
        if key.at("attributes.exportable") is True and key.at("release_policy") is None:
            yield Violation(key, "attributes.exportable", "takes a release policy and an HSM")


def _family(key: Resource) -> str:
    return str(key.at("kty")).upper().removesuffix("-HSM")


def _rotation(template: Template) -> Iterator[Violation]:
    for key in template.of(KEY):
        policy = key.at("rotationPolicy")
        if policy is None or is_expression(policy):
            continue
        actions = key.at("rotationPolicy.lifetimeActions")
        if not isinstance(actions, list):
            yield Violation(key, "rotationPolicy.lifetimeActions", "is missing")
        expires = _days(key.at("rotationPolicy.attributes.expiryTime"))
        if expires is not None and expires < 28:
            yield Violation(key, "rotationPolicy.attributes.expiryTime", "must be at least 28 days")
        for position, action in enumerate(items(actions)):
            yield from _action(key, f"rotationPolicy.lifetimeActions[{position}]", action, expires)


def _action(key: Resource, path: str, action: object, expires: float | None) -> Iterator[Violation]:
    kind = str(member(member(action, "action"), "type")).lower()
    trigger = member(action, "trigger")
    after, before = member(trigger, "timeAfterCreate"), member(trigger, "timeBeforeExpiry")
    if kind not in ("rotate", "notify"):
        yield Violation(key, path, "its action must be rotate or notify")
    if (after is None) == (before is None):
        yield Violation(key, path, "takes one of timeAfterCreate and timeBeforeExpiry")
    if kind == "notify" and after is not None:
        yield Violation(key, path, "notify takes timeBeforeExpiry")
    if before is not None and expires is None:
        yield Violation(key, path, "timeBeforeExpiry takes an expiryTime")
    for name, span in (("timeAfterCreate", _days(after)), ("timeBeforeExpiry", _days(before))):
        if kind == "rotate" and span is not None and span < 7:
            yield Violation(key, path, f"{name} must be at least 7 days")
        if span is not None and expires is not None and span > expires - 7 and kind == "rotate":
            yield Violation(key, path, f"{name} must leave 7 days of the time to expiry")


def _days(value: object) -> float | None:
    """Read a duration; years and months, which `P2Y` and `P18M` have, count 365 and 30 days."""
    if not isinstance(value, str):
        return None
    if calendar := re.fullmatch(r"P(?:(\d{1,8})Y)?(?:(\d{1,8})M)?(?:(\d{1,8})D)?", value):
        years, months, days = (int(part or 0) for part in calendar.groups())
        return years * 365 + months * 30 + days
    try:
        span = durations.parse(value)
    except ValueError:
        return None
    return span.total_seconds() / 86400 if span is not None else None


def _values(template: Template) -> Iterator[Violation]:
    for secret in template.of(SECRET):
        value = secret.at("value")
        if isinstance(value, str) and len(value.encode()) > _MAX_VALUE:
            yield Violation(secret, "value", "is longer than 25 KiB")


def _policies(template: Template) -> Iterator[Violation]:
    for vault in template.of(VAULT):
        if len(items(vault.at("accessPolicies"))) > 1024:
            yield Violation(vault, "accessPolicies", "are more than 1024")


RULES: tuple[Rule[Template], ...] = (
    Rule(
        "BadRequest",
        "Azure/azure-cli 29115; Azure/ai-hub 241",
        never_false(of(VAULT), "enablePurgeProtection", "; leave it out"),
    ),
    Rule(
        "BadRequest",
        "Azure/azure-cli 13247",
        never_false(of(VAULT), "enableSoftDelete", ": every vault has it"),
    ),
    Rule(
        "VaultSoftDeleteRetentionDaysNotValid",
        _VAULTS_PAGE,
        in_range(of(VAULT), "softDeleteRetentionInDays", 7, 90),
    ),
    Rule("BadRequest", _VAULTS_PAGE, _sku),
    Rule("BadRequest", _VAULTS_PAGE, required(of(VAULT), "tenantId")),
    Rule("BadRequest", _VAULTS_PAGE, _policies),
    Rule("BadParameter", _KEYS_PAGE, one_of(of(KEY), "kty", _KEY_TYPES, is_required=True)),
    Rule("BadParameter", f"{_KEYS_PAGE}, HSM-protected keys", _hsm),
    Rule("BadParameter", _KEYS_PAGE, _size),
    Rule("BadParameter", _KEYS_PAGE, _operations),
    Rule(
        "BadParameter", "learn.microsoft.com, Secure key release with Azure Key Vault", _exportable
    ),
    Rule(
        "InvalidKeyRotationPolicy",
        f"Azure/bicep-registry-modules 2760; {_ROTATION_PAGE}",
        _rotation,
    ),
    Rule("BadParameter", "learn.microsoft.com, About Azure Key Vault secrets", _values),
)
