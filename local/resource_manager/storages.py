"""What Storage refuses of accounts and containers."""

from __future__ import annotations

from collections.abc import Iterator

from local.resource_manager.property_rules import of, one_of
from local.resource_manager.refusal import Rule, Violation
from local.resource_manager.template import Resource, Template

ACCOUNT = "Microsoft.Storage/storageAccounts"
CONTAINER = f"{ACCOUNT}/blobServices/containers"

_TYPES = "bicep-types-az, Microsoft.Storage 2025-01-01"
_OVERVIEW = "learn.microsoft.com, Storage account overview, types of storage accounts"
_SKUS = {
    "StorageV2": {
        f"{tier}_{copies}"
        for tier, kinds in (
            ("Standard", ("LRS", "ZRS", "GRS", "RAGRS", "GZRS", "RAGZRS")),
            ("Premium", ("LRS", "ZRS")),
        )
        for copies in kinds
    },
    "BlockBlobStorage": {"Premium_LRS", "Premium_ZRS"},
    "FileStorage": {"Premium_LRS", "Premium_ZRS"},
}
_KINDS = ("Storage", "StorageV2", "BlobStorage", "BlockBlobStorage", "FileStorage")


def _sku(template: Template) -> Iterator[Violation]:
    for account in template.of(ACCOUNT):
        kind, sku = account.known("/kind"), account.known("/sku.name")
        known = _SKUS.get(str(kind))
        if (
            known
            and sku is not None
            and sku not in known
            and not str(sku).startswith(("StandardV2", "PremiumV2"))
        ):
            yield Violation(account, "sku.name", f"{kind} is not available as {sku}")


def _public(template: Template) -> Iterator[Violation]:
    for container in template.of(CONTAINER):
        account = template.get(_account_of(container))
        access = container.known("publicAccess")
        closed = account is not None and account.at("allowBlobPublicAccess") is not True
        if access not in (None, "None") and closed:
            yield Violation(container, "publicAccess", "the account permits no public blobs")


def _account_of(container: Resource) -> str:
    return container.key.partition("/blobservices/")[0]


def _services(template: Template) -> Iterator[Violation]:
    for service in template.of(f"{ACCOUNT}/blobServices"):
        if service.name.lower() != "default":
            yield Violation(service, "name", "must be default")


RULES: tuple[Rule[Template], ...] = (
    Rule(
        "InvalidValuesForRequestParameters",
        f"{_TYPES}; {_OVERVIEW}",
        one_of(of(ACCOUNT), "/kind", _KINDS),
    ),
    Rule("InvalidValuesForRequestParameters", f"{_TYPES}; {_OVERVIEW}", _sku),
    Rule(
        "PublicAccessNotPermitted",
        "learn.microsoft.com, Remediate anonymous read access to blob data",
        _public,
    ),
    Rule("InvalidResourceName", _TYPES, _services),
)
