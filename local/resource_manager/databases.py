"""What Azure Database for PostgreSQL refuses of flexible servers."""

from __future__ import annotations

from collections.abc import Iterator

from local.resource_manager.property_rules import in_range, of, one_of
from local.resource_manager.refusal import Rule, Violation
from local.resource_manager.template import Template, is_expression

SERVER = "Microsoft.DBforPostgreSQL/flexibleServers"

_TYPES = "bicep-types-az, Microsoft.DBforPostgreSQL 2025-08-01"
_STORAGE_PAGE = "learn.microsoft.com, Storage options in Azure Database for PostgreSQL"
_AVAILABILITY_PAGE = "learn.microsoft.com, High availability in Azure Database for PostgreSQL"
_COMPUTE_PAGE = "learn.microsoft.com, Compute options in Azure Database for PostgreSQL"

SIZES = (32, 64, 128, 256, 512, 1024, 2048, 4095, 4096, 8192, 16384, 32767)
"""Gigabytes of a Premium SSD; other kinds of disks come in any whole number."""
_VERSIONS = ("11", "12", "13", "14", "15", "16", "17", "18")
_TIERS = {
    "burstable": "standard_b",
    "generalpurpose": "standard_d",
    "memoryoptimized": "standard_e",
}
_RESERVED = {
    *("azure_superuser", "azure_pg_admin", "admin", "administrator", "root", "guest", "public"),
}


def _storage(template: Template) -> Iterator[Violation]:
    path = "storage.storageSizeGB"
    for server in template.of(SERVER):
        size, disk = server.at(path), server.known("storage.type")
        if is_expression(size) or server.at("createMode") not in (None, "Default", "Create"):
            continue
        if size is None:
            yield Violation(server, path, "is missing")
        elif disk in (None, "Premium_LRS") and size not in SIZES:
            yield Violation(server, path, f"must be one of {', '.join(map(str, SIZES))}")


def _sku(template: Template) -> Iterator[Violation]:
    for server in template.of(SERVER):
        name, tier = server.known("/sku.name"), server.known("/sku.tier")
        if not isinstance(name, str) or not isinstance(tier, str):
            continue
        family = _TIERS.get(tier.lower())
        if family is None or not name.lower().startswith(family):
            what = "must be a Standard_B size for Burstable, Standard_D for GeneralPurpose, "
            yield Violation(server, "sku", f"{what}Standard_E for MemoryOptimized")


def _burstable_availability(template: Template) -> Iterator[Violation]:
    for server in template.of(SERVER):
        mode = server.known("highAvailability.mode")
        burstable = str(server.known("/sku.tier")).lower() == "burstable"
        if burstable and mode in ("SameZone", "ZoneRedundant"):
            yield Violation(server, "highAvailability.mode", "the Burstable tier does not have it")


def _administrator(template: Template) -> Iterator[Violation]:
    for server in template.of(SERVER):
        name = server.known("administratorLogin")
        if isinstance(name, str):
            low = name.lower()
            if low in _RESERVED or low.startswith("pg_") or not 1 <= len(name) <= 63:
                what = (
                    "must be 1 to 63 characters, and none of the reserved names (admin, root, ...)"
                )
                yield Violation(server, "administratorLogin", what)


def _sign_in(template: Template) -> Iterator[Violation]:
    for server in template.of(SERVER):
        passwords = server.known("authConfig.passwordAuth")
        directory = server.known("authConfig.activeDirectoryAuth")
        if passwords == "Disabled" and directory != "Enabled":
            yield Violation(server, "authConfig", "leaves no means to sign in")
        if passwords != "Disabled" and server.at("createMode") in (None, "Default", "Create"):
            for name in ("administratorLogin", "administratorLoginPassword"):
                if server.at(name) is None:
                    yield Violation(
                        server, name, "is missing, and password authentication needs it"
                    )


def _addresses(template: Template) -> Iterator[Violation]:
    for rule in template.of(f"{SERVER}/firewallRules"):
        first, last = rule.known("startIpAddress"), rule.known("endIpAddress")
        start, end = _number(first), _number(last)
        if first is not None and last is not None and (start is None or end is None or start > end):
            yield Violation(
                rule, "startIpAddress", "must be an IPv4 address, not after endIpAddress"
            )


def _number(address: object) -> tuple[int, ...] | None:
    parts = str(address).split(".")
    whole = len(parts) == 4 and all(p.isascii() and p.isdigit() and int(p) < 256 for p in parts)
    return tuple(map(int, parts)) if whole else None


RULES: tuple[Rule[Template], ...] = (
    Rule(
        "InvalidParameterValue",
        f"{_STORAGE_PAGE}; Azure/azure-rest-api-specs 27309; terraform-provider-azurerm 28942",
        _storage,
    ),
    Rule(
        "InvalidParameterValue",
        _TYPES,
        one_of(of(SERVER), "storage.autoGrow", ("Enabled", "Disabled")),
    ),
    Rule("InvalidParameterValue", _TYPES, one_of(of(SERVER), "version", _VERSIONS)),
    Rule(
        "InvalidParameterValue",
        _AVAILABILITY_PAGE,
        one_of(of(SERVER), "highAvailability.mode", ("Disabled", "SameZone", "ZoneRedundant")),
    ),
    Rule("InvalidParameterValue", _COMPUTE_PAGE, _sku),
    Rule(
        "InvalidParameterValue",
        _AVAILABILITY_PAGE,
        _burstable_availability,
    ),
    Rule(
        "InvalidParameterValue",
        "learn.microsoft.com, Backup and restore in Azure Database for PostgreSQL",
        in_range(of(SERVER), "backup.backupRetentionDays", 7, 35),
    ),
    Rule(
        "InvalidParameterValue",
        "learn.microsoft.com, Create an Azure Database for PostgreSQL",
        _administrator,
    ),
    Rule("InvalidParameterValue", _TYPES, _sign_in),
    Rule("InvalidParameterValue", _TYPES, _addresses),
)
